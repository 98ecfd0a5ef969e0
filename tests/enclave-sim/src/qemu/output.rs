//! What a program writes, for whoever asks later or waits for it.

use tokio::sync::watch;

/// Bytes that are kept: the last ones.
const KEPT: usize = 256 * 1024;

/// The text so far.
pub struct Output {
    text: watch::Receiver<Vec<u8>>,
}

/// Where it comes from.
pub struct Source {
    text: watch::Sender<Vec<u8>>,
}

/// An output with its source; the output is complete when the source is dropped.
pub fn output() -> (Source, Output) {
    let (sender, receiver) = watch::channel(Vec::new());
    (Source { text: sender }, Output { text: receiver })
}

impl Source {
    /// Appends bytes.
    pub fn push(&self, bytes: &[u8]) {
        self.text.send_modify(|text| {
            text.extend_from_slice(bytes);
            text.drain(..text.len().saturating_sub(KEPT));
        });
    }
}

impl Output {
    /// All that is kept.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.borrow()).into_owned()
    }

    /// Waits until a text is in it; `false` when it is complete without.
    pub async fn says(&self, text: &str) -> bool {
        let has = |bytes: &Vec<u8>| {
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        };
        let mut receiver = self.text.clone();
        receiver.wait_for(has).await.is_ok() || has(&self.text.borrow())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_bytes_are_kept_and_waited_for() {
        let (source, output) = output();
        source.push(&vec![b'a'; KEPT]);
        let waiting = tokio::spawn(async move { (output.says("bc").await, output) });
        source.push(b"b");
        source.push(b"c");
        let (said, output) = waiting.await.unwrap_or_else(|error| panic!("{error}"));
        assert!(said && output.text().len() == KEPT && output.text().ends_with("abc"));
        drop(source);
        assert!(output.says("bc").await && !output.says("d").await);
    }
}
