//! A small web server with one file, which misbehaves as it is told to.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};

/// What the server has and how it answers.
#[derive(Clone)]
pub struct Behaviour {
    pub content: Vec<u8>,
    /// Named in the redirect, as the hub does.
    pub checksum: Option<String>,
    /// `ETag`.
    pub version: Option<String>,
    pub kind: &'static str,
    pub ranges: bool,
    pub says_size: bool,
    /// The connection ends after so many bytes of the body.
    pub hang_up_after: Option<usize>,
    /// Nothing more comes after so many bytes.
    pub stalls_after: Option<usize>,
    /// Instead of the file.
    pub status: Option<u16>,
    /// Whether version and checksum are others once the first byte was asked for.
    pub changes_after_look: bool,
}

impl Behaviour {
    /// A server without faults.
    pub fn good(content: Vec<u8>) -> Self {
        let sum = Sha256::digest(&content);
        Self {
            checksum: Some(sum.iter().map(|byte| format!("{byte:02x}")).collect()),
            version: Some("\"first\"".to_owned()),
            content,
            kind: "application/octet-stream",
            ranges: true,
            says_size: true,
            hang_up_after: None,
            stalls_after: None,
            status: None,
            changes_after_look: false,
        }
    }
}

struct State {
    behaviour: Behaviour,
    /// The `Range` of every request.
    asked: Vec<Option<String>>,
}

/// A server that runs as long as the tests.
pub struct Server {
    host: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let host = listener.local_addr().expect("an address").to_string();
        let asked = Vec::new();
        let state = Arc::new(Mutex::new(State { behaviour, asked }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                // Whoever asked may have gone.
                thread::spawn(move || drop(answer(&stream, &state)));
            }
        });
        Self { host, state }
    }

    /// The file's address, which redirects.
    pub fn address(&self) -> String {
        self.address_of("model.safetensors")
    }

    /// The same under another name.
    pub fn address_of(&self, name: &str) -> String {
        format!("http://{}/resolve/{name}", self.host)
    }

    pub fn behaviour(&self) -> Behaviour {
        lock(&self.state).behaviour.clone()
    }

    pub fn change(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut lock(&self.state).behaviour);
    }

    /// The `Range` of every request so far.
    pub fn asked(&self) -> Vec<Option<String>> {
        lock(&self.state).asked.clone()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("no test has panicked here")
}

fn answer(mut stream: &TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let mut range = None;
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("range")
        {
            range = Some(value.trim().to_owned());
        }
    }
    let server = {
        let mut state = lock(state);
        state.asked.push(range.clone());
        state.behaviour.clone()
    };
    let look = range.as_deref() == Some("bytes=0-0");
    let later = if server.changes_after_look && !look {
        "later"
    } else {
        ""
    };
    if let Some(status) = server.status {
        return stream
            .write_all(head(&format!("{status} No"), &["Content-Length: 0".into()]).as_bytes());
    }
    if request.starts_with("GET /resolve/") {
        let mut fields = vec![
            "Location: /store/x".to_owned(),
            "Content-Length: 0".to_owned(),
        ];
        let linked = server.checksum.map(|sum| match later {
            "" => format!("X-Linked-ETag: \"{sum}\""),
            _ => format!(
                "X-Linked-ETag: \"{}\"",
                sum.chars().rev().collect::<String>()
            ),
        });
        fields.extend(linked);
        return stream.write_all(head("302 Found", &fields).as_bytes());
    }
    let size = server.content.len();
    let asked = range.filter(|_| server.ranges);
    let (start, end) = match asked
        .as_deref()
        .and_then(|range| range.strip_prefix("bytes=")?.split_once('-'))
    {
        Some((start, end)) => (
            start.parse().expect("a number"),
            end.parse().map_or(size, |last: usize| last + 1),
        ),
        None => (0, size),
    };
    let body = &server.content[start..end];
    let mut fields = vec![format!("Content-Type: {}", server.kind)];
    fields.extend(server.version.map(|version| format!("ETag: {version}")));
    let status = match asked {
        Some(_) if server.says_size => {
            fields.push(format!("Content-Range: bytes {start}-{}/{size}", end - 1));
            "206 Partial Content"
        }
        Some(_) => {
            fields.push(format!("Content-Range: bytes {start}-{}/*", end - 1));
            "206 Partial Content"
        }
        None => "200 OK",
    };
    fields.push(format!("Content-Length: {}", body.len()));
    stream.write_all(head(status, &fields).as_bytes())?;
    let sent = server.hang_up_after.or(server.stalls_after).unwrap_or(size);
    stream.write_all(&body[..body.len().min(sent)])?;
    if server.stalls_after.is_some() && !look {
        thread::sleep(Duration::from_secs(600));
    }
    Ok(())
}

fn head(status: &str, fields: &[String]) -> String {
    let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    format!("HTTP/1.1 {status}\r\nConnection: close\r\n{fields}\r\n")
}
