//! A KMS whose answers somebody on the way changes, and who notes what it was asked.

use std::sync::Mutex;

use unseal_agent::{
    DecryptReply, DecryptRequest, EncryptReply, EncryptRequest, Kms, KmsFault, SdkKms,
};

pub struct BentKms {
    pub inner: SdkKms,
    pub bend: fn(&mut DecryptReply),
    pub documents: Mutex<Vec<Vec<u8>>>,
    /// The shares that it was to wrap, in order.
    pub wrapped: Mutex<Vec<Vec<u8>>>,
}

impl BentKms {
    pub fn new(inner: SdkKms, bend: fn(&mut DecryptReply)) -> Self {
        Self {
            inner,
            bend,
            documents: Mutex::default(),
            wrapped: Mutex::default(),
        }
    }
}

impl Kms for BentKms {
    async fn decrypt(&self, request: DecryptRequest) -> Result<DecryptReply, KmsFault> {
        let document = request.document.clone();
        self.documents.lock().unwrap().push(document);
        let mut reply = self.inner.decrypt(request).await?;
        (self.bend)(&mut reply);
        Ok(reply)
    }

    async fn encrypt(&self, request: EncryptRequest) -> Result<EncryptReply, KmsFault> {
        let share = request.plaintext.to_vec();
        self.wrapped.lock().unwrap().push(share);
        self.inner.encrypt(request).await
    }
}
