//! What a bzImage says of itself.

/// Where the setup header begins with its magic number, and where it has the offset of the version's text
/// (Linux, `Documentation/arch/x86/boot.rst`).
const MAGIC: usize = 0x202;
const VERSION: usize = 0x20e;
/// The offset counts from the end of the first sector.
const SECTOR: usize = 0x200;

/// The version, such as `6.12.117`, if this is a bzImage that has one.
pub fn version(image: &[u8]) -> Option<String> {
    if image.get(MAGIC..MAGIC + 4)? != b"HdrS" {
        return None;
    }
    let offset = image.get(VERSION..VERSION + 2)?.try_into().ok()?;
    let offset = usize::from(u16::from_le_bytes(offset));
    let text = image.get(SECTOR + offset..)?;
    let text = text.split(|byte| *byte == 0).next()?;
    let version = std::str::from_utf8(text).ok()?.split(' ').next()?;
    (offset > 0 && !version.is_empty()).then(|| version.to_owned())
}
