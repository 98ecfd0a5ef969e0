//! Reading fields off untrusted bytes without trusting any length.

use crate::FormatError;

/// What is left to read.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next `length` bytes; borrowed, so a hostile length allocates nothing.
    pub(crate) fn take(
        &mut self,
        length: usize,
        field: &'static str,
    ) -> Result<&'a [u8], FormatError> {
        let (head, tail) = self
            .0
            .split_at_checked(length)
            .ok_or(FormatError::Truncated { field })?;
        self.0 = tail;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], FormatError> {
        let (head, tail) = self
            .0
            .split_first_chunk()
            .ok_or(FormatError::Truncated { field })?;
        self.0 = tail;
        Ok(*head)
    }

    pub(crate) fn byte(&mut self, field: &'static str) -> Result<u8, FormatError> {
        self.array(field).map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, FormatError> {
        self.array(field).map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, FormatError> {
        self.array(field).map(u32::from_be_bytes)
    }

    /// Everything that is left.
    pub(crate) const fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Refuses bytes after the last field: one blob has one encoding.
    pub(crate) const fn end(self) -> Result<(), FormatError> {
        match self.0.len() {
            0 => Ok(()),
            more => Err(FormatError::Trailing(more)),
        }
    }
}
