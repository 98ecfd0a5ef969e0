//! Nothing that holds a secret can be printed.

use std::fmt::Debug;
use std::marker::PhantomData;

use chamber_link::Credentials;
use sealed_blob::{MasterKey, Recovered, Share};
use unseal_agent::{Attempt, DecryptReply, EncryptRequest, RecipientKey};

/// Whether a type has a `Debug`: a constant of the type itself goes before a trait's.
struct Printed<T>(PhantomData<T>);

trait No {
    const SHOWN: bool = false;
}

impl<T> No for Printed<T> {}

impl<T: Debug> Printed<T> {
    const SHOWN: bool = true;
}

#[test]
fn what_holds_a_secret_has_no_debug_or_an_empty_one() {
    let shown = [
        // A message is printed as a whole.
        Printed::<Credentials>::SHOWN,
        Printed::<MasterKey>::SHOWN,
        Printed::<Share>::SHOWN,
        Printed::<Recovered>::SHOWN,
        Printed::<RecipientKey>::SHOWN,
        Printed::<EncryptRequest>::SHOWN,
        Printed::<DecryptReply>::SHOWN,
        Printed::<Attempt>::SHOWN,
    ];
    assert_eq!(
        shown,
        [true, false, false, false, false, false, false, false]
    );
    let credentials = Credentials {
        access_key_id: "AKIA".into(),
        secret_access_key: "secret".into(),
        session_token: Some("token".into()),
        expires_at: Some(7),
    };
    assert_eq!(format!("{credentials:?}"), "Credentials { .. }");
}
