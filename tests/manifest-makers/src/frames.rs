//! Bytes in place of a host's first message.

const START: &str = r#"{"type":"start","value":{"region":"us-east-1","manifest":"AAAA","task":{"unseal":{"blob":"AAAA","clusterId":null}}}}"#;

/// A frame of the host's own writing.
fn frame(json: &str) -> Vec<u8> {
    let length = u32::try_from(json.len()).unwrap().to_be_bytes();
    [&[chamber_link::VERSION], &length[..], json.as_bytes()].concat()
}

/// A message whose manifest is none.
pub fn whole_frame() -> Vec<u8> {
    frame(START)
}

/// What is no message, each followed by the stream's end.
pub fn cut_frames() -> Vec<Vec<u8>> {
    let whole = whole_frame();
    let long = u32::try_from(chamber_link::MAX_FRAME + 1).unwrap();
    let endless = [&[1], &long.to_be_bytes()[..]].concat();
    vec![
        whole[..whole.len() / 2].to_vec(),
        whole[..3].to_vec(),
        endless,
        frame("{}"),
        frame("null"),
        // What a newer host could want.
        frame(r#"{"type":"start","value":{"region":"us-east-1","task":{"teleport":{}}}}"#),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        Vec::new(),
    ]
}
