//! The `Authorization` header.

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The header's parts, borrowed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Authorization<'a> {
    pub access_key: &'a str,
    /// `YYYYMMDD`.
    pub date: &'a str,
    pub region: &'a str,
    pub service: &'a str,
    /// Lower-case names in the order in which they were signed.
    pub signed_headers: Vec<&'a str>,
    /// The signature's 32 bytes.
    pub signature: Vec<u8>,
}

impl<'a> Authorization<'a> {
    /// `AWS4-HMAC-SHA256 Credential=.., SignedHeaders=.., Signature=..`; the error is a text for the caller.
    pub fn parse(header: &'a str) -> Result<Self, String> {
        let rest = header
            .strip_prefix(ALGORITHM)
            .ok_or_else(|| format!("Unsupported AWS 'algorithm', expected {ALGORITHM}."))?;
        let part = |name: &str| {
            rest.split(',')
                .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
                .ok_or_else(|| format!("Authorization header requires '{name}' parameter."))
        };
        let mut scope = part("Credential")?.split('/');
        let mut next = || {
            scope
                .next()
                .filter(|text| !text.is_empty())
                .ok_or("Credential must have exactly 5 slash-delimited elements.")
        };
        let (access_key, date, region, service, end) =
            (next()?, next()?, next()?, next()?, next()?);
        if end != "aws4_request" || scope.next().is_some() {
            return Err("Credential should be scoped with 'aws4_request'.".to_owned());
        }
        let signature = hex::decode(part("Signature")?)
            .map_err(|_| "Signature is not hexadecimal.".to_owned())?;
        Ok(Self {
            access_key,
            date,
            region,
            service,
            signed_headers: part("SignedHeaders")?.split(';').collect(),
            signature,
        })
    }

    /// `<date>/<region>/<service>/aws4_request`.
    pub fn scope(&self) -> String {
        format!(
            "{}/{}/{}/aws4_request",
            self.date, self.region, self.service
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_the_parts_with_and_without_spaces() {
        for separator in [", ", ","] {
            let header = [
                "AWS4-HMAC-SHA256 Credential=AK/20261123/r/kms/aws4_request",
                "SignedHeaders=host;x-amz-date",
                "Signature=00ff",
            ]
            .join(separator);
            let parsed = Authorization::parse(&header).unwrap();
            assert_eq!(parsed.access_key, "AK");
            assert_eq!(parsed.scope(), "20261123/r/kms/aws4_request");
            assert_eq!(parsed.signed_headers, ["host", "x-amz-date"]);
            assert_eq!(parsed.signature, [0, 0xff]);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(AWS4-HMAC-SHA256 )?(Credential=[a-z/0-9]{0,30}|Signature=[0-9a-g]{0,9}|SignedHeaders=.{0,9}|,| ){0,6}") {
            let _ = Authorization::parse(&text);
        }
    }
}
