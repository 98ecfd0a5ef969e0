//! Reading fields off untrusted bytes without trusting any length.

use super::ClaimsError;

/// What is left to read.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn take(
        &mut self,
        length: usize,
        field: &'static str,
    ) -> Result<&'a [u8], ClaimsError> {
        let (head, tail) = self
            .0
            .split_at_checked(length)
            .ok_or(ClaimsError::Truncated { field })?;
        self.0 = tail;
        Ok(head)
    }

    pub(super) fn array<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], ClaimsError> {
        let (head, tail) = self
            .0
            .split_first_chunk()
            .ok_or(ClaimsError::Truncated { field })?;
        self.0 = tail;
        Ok(*head)
    }

    pub(super) fn byte(&mut self, field: &'static str) -> Result<u8, ClaimsError> {
        self.array(field).map(|[byte]| byte)
    }

    /// Refuses bytes after the last field: one value has one encoding.
    pub(super) const fn end(self) -> Result<(), ClaimsError> {
        match self.0.len() {
            0 => Ok(()),
            more => Err(ClaimsError::Trailing(more)),
        }
    }
}
