//! The file, with what is known of the part that was read.

use std::io::{self, ErrorKind, Read};

use super::EifError;

/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;

/// A file that is read front to back, once.
pub struct Source<R> {
    file: R,
    /// The checksum of what was read since this was last set.
    pub crc: crc32fast::Hasher,
    /// Bytes read.
    pub position: u64,
}

impl<R: Read> Source<R> {
    pub fn new(file: R) -> Self {
        Self {
            file,
            crc: crc32fast::Hasher::new(),
            position: 0,
        }
    }

    pub fn fill(&mut self, bytes: &mut [u8], part: &'static str) -> Result<(), EifError> {
        self.file
            .read_exact(bytes)
            .map_err(|error| failed(error, part))?;
        self.took(bytes);
        Ok(())
    }

    /// The next `size` bytes, whoever wants them piece by piece.
    pub fn section<T: FnMut(&[u8])>(
        &mut self,
        size: u64,
        part: &'static str,
        take: T,
    ) -> Section<'_, R, T> {
        Section {
            source: self,
            rest: size,
            part,
            take,
            failure: None,
        }
    }

    pub fn end(&mut self) -> Result<(), EifError> {
        match self.file.read_exact(&mut [0]) {
            Ok(()) => Err(EifError::Trailing),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => Err(EifError::Read(error)),
        }
    }

    fn took(&mut self, bytes: &[u8]) {
        self.crc.update(bytes);
        self.position = self.position.saturating_add(bytes.len() as u64);
    }
}

/// A section's data. Each piece that is read of it goes through `take`, in order and once.
pub struct Section<'a, R, T> {
    source: &'a mut Source<R>,
    rest: u64,
    part: &'static str,
    take: T,
    failure: Option<EifError>,
}

impl<R: Read, T: FnMut(&[u8])> Section<'_, R, T> {
    /// Reads what nobody has read; an error of the file that a reader before met is told here.
    pub fn finish(mut self) -> Result<(), EifError> {
        let mut buffer = vec![0; CHUNK];
        while self.failure.is_none() && self.rest > 0 {
            let _ = self.read(&mut buffer);
        }
        self.failure.map_or(Ok(()), Err)
    }
}

impl<R: Read, T: FnMut(&[u8])> Read for Section<'_, R, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.rest).unwrap_or(usize::MAX);
        let most = most.min(buffer.len());
        let buffer = &mut buffer[..most];
        if buffer.is_empty() || self.failure.is_some() {
            return Ok(0);
        }
        match self.source.file.read(buffer) {
            Ok(0) => self.failure = Some(EifError::Truncated { part: self.part }),
            Ok(length) => {
                self.rest -= length as u64;
                self.source.took(&buffer[..length]);
                (self.take)(&buffer[..length]);
                return Ok(length);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
            Err(error) => self.failure = Some(EifError::Read(error)),
        }
        Ok(0)
    }
}

fn failed(error: io::Error, part: &'static str) -> EifError {
    match error.kind() {
        ErrorKind::UnexpectedEof => EifError::Truncated { part },
        _ => EifError::Read(error),
    }
}
