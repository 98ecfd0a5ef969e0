//! CRC-32 as in IEEE 802.3.

const TABLE: [u32; 256] = table();

/// A checksum that is being made.
pub struct Crc(u32);

impl Crc {
    /// Of nothing yet.
    pub const fn new() -> Self {
        Self(!0)
    }

    /// Takes these bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let [low, ..] = self.0.to_le_bytes();
            self.0 = TABLE[usize::from(low ^ byte)] ^ (self.0 >> 8);
        }
    }

    /// The checksum.
    pub const fn value(&self) -> u32 {
        !self.0
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the index is below 256")]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            let odd = value & 1 == 1;
            value >>= 1;
            if odd {
                value ^= 0xedb8_8320;
            }
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_algorithm() {
        let mut crc = Crc::new();
        crc.update(b"1234");
        crc.update(b"56789");
        assert_eq!(crc.value(), 0xcbf4_3926);
    }
}
