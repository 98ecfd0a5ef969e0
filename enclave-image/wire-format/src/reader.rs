//! Reading fields off untrusted bytes without trusting any length.

use crate::FormatError;

/// What is left to read of one document.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    document: &'static str,
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    /// `document` names the format in errors.
    pub const fn new(document: &'static str, bytes: &'a [u8]) -> Self {
        Self {
            document,
            left: bytes,
        }
    }

    /// The next `length` bytes; borrowed, so a hostile length allocates nothing.
    pub fn take(&mut self, length: usize, field: &'static str) -> Result<&'a [u8], FormatError> {
        let (head, tail) = self
            .left
            .split_at_checked(length)
            .ok_or(self.truncated(field))?;
        self.left = tail;
        Ok(head)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], FormatError> {
        let (head, tail) = self.left.split_first_chunk().ok_or(self.truncated(field))?;
        self.left = tail;
        Ok(*head)
    }

    /// One byte.
    pub fn byte(&mut self, field: &'static str) -> Result<u8, FormatError> {
        self.array(field).map(|[byte]| byte)
    }

    /// Two bytes, big-endian.
    pub fn u16(&mut self, field: &'static str) -> Result<u16, FormatError> {
        self.array(field).map(u16::from_be_bytes)
    }

    /// Four bytes, big-endian.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, FormatError> {
        self.array(field).map(u32::from_be_bytes)
    }

    /// One byte of length, then so many bytes.
    pub fn short(&mut self, field: &'static str) -> Result<&'a [u8], FormatError> {
        let length = self.byte(field)?;
        self.take(length.into(), field)
    }

    /// Two bytes of length, then so many bytes.
    pub fn long(&mut self, field: &'static str) -> Result<&'a [u8], FormatError> {
        let length = self.u16(field)?;
        self.take(length.into(), field)
    }

    /// Bytes as text; all texts of the formats are ASCII.
    pub fn text(&self, field: &'static str, bytes: &[u8]) -> Result<String, FormatError> {
        let text = std::str::from_utf8(bytes).map_err(|_| {
            FormatError::field(self.document, field, "bytes that are no text", "ASCII")
        })?;
        Ok(text.to_owned())
    }

    /// Everything that is left.
    pub const fn rest(self) -> &'a [u8] {
        self.left
    }

    /// Refuses bytes after the last field: one value has one encoding.
    pub const fn end(self) -> Result<(), FormatError> {
        match self.left.len() {
            0 => Ok(()),
            more => Err(FormatError::Trailing {
                document: self.document,
                more,
            }),
        }
    }

    const fn truncated(&self, field: &'static str) -> FormatError {
        FormatError::Truncated {
            document: self.document,
            field,
        }
    }
}
