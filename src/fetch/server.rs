//! Asking a server for a file, or for the rest of one.

use std::io;
use std::time::Duration;

use ureq::http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    LAST_MODIFIED, LOCATION, RANGE,
};
use ureq::http::{HeaderMap, Response, Uri};
use ureq::{Agent, Body};

use super::{Checksum, FetchError, address};
use crate::files::one_line;

/// Longest time to find and reach a server.
const REACH: Duration = Duration::from_secs(30);
/// Longest time in which nothing arrives.
const SILENCE: Duration = Duration::from_secs(60);
/// Most redirects in a row.
const REDIRECTS: usize = 10;
/// Said where a name leads to no server.
const NO_HOST: &str = "no such host, or no network";
/// The header in which the hub gives the SHA-256 of a large file, before it redirects to the store
/// that has it.
const LINKED_ETAG: &str = "x-linked-etag";

/// What a server says of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// Bytes of the whole file.
    pub size: Option<u64>,
    /// Its SHA-256.
    pub checksum: Option<Checksum>,
    /// Text that changes when the content does.
    pub version: Option<String>,
}

/// The file, or its end.
pub(super) struct Answer {
    pub facts: Facts,
    /// Where in the file the body starts.
    pub start: u64,
    pub body: Body,
}

/// The way to the network.
pub(super) struct Server {
    agent: Agent,
}

impl Server {
    pub(super) fn new() -> Self {
        let config = Agent::config_builder()
            .user_agent(concat!("biam-lens/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            // What stands in a redirect's headers is needed.
            .max_redirects(0)
            .timeout_resolve(Some(REACH))
            .timeout_connect(Some(REACH))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE))
            .build();
        Self {
            agent: config.new_agent(),
        }
    }

    /// Breaks off whatever other threads wait for.
    pub(super) fn hang_up(&self) {
        self.agent.clone().shutdown();
    }

    /// Asks for the first byte only, which every server of files answers with what it knows.
    pub(super) fn facts(&self, address: &str) -> Result<Facts, FetchError> {
        Ok(self.get(address, Some("bytes=0-0"))?.facts)
    }

    /// Asks for everything from byte `from` on. The answer may start earlier where the server
    /// cannot do that.
    pub(super) fn rest(&self, address: &str, from: u64) -> Result<Answer, FetchError> {
        match from {
            0 => self.get(address, None),
            from => self.get(address, Some(&format!("bytes={from}-"))),
        }
    }

    fn get(&self, text: &str, range: Option<&str>) -> Result<Answer, FetchError> {
        let mut place = address::parse(text).ok_or_else(|| FetchError::Address(text.to_owned()))?;
        let mut checksum = None;
        for _ in 0..=REDIRECTS {
            let response = self.send(text, &place, range)?;
            let headers = response.headers();
            checksum = checksum.or_else(|| linked_checksum(headers));
            match response.status().as_u16() {
                301 | 302 | 303 | 307 | 308 => {
                    place = value(headers, LOCATION.as_str())
                        .and_then(|location| address::follow(&place, location))
                        .ok_or_else(|| FetchError::Redirect(text.to_owned()))?;
                }
                200 | 206 => return answer(text, response, checksum, range.is_some()),
                // There is no such part: let it be the whole file.
                416 if range.is_some() => return self.get(text, None),
                status => {
                    let address = text.to_owned();
                    return Err(FetchError::Refused { address, status });
                }
            }
        }
        Err(FetchError::Redirect(text.to_owned()))
    }

    fn send(
        &self,
        text: &str,
        place: &Uri,
        range: Option<&str>,
    ) -> Result<Response<Body>, FetchError> {
        let mut request = self.agent.get(place).header(ACCEPT_ENCODING, "identity");
        if let Some(range) = range {
            request = request.header(RANGE, range);
        }
        request.call().map_err(|error| FetchError::Unreachable {
            address: text.to_owned(),
            reason: reason(&error),
        })
    }
}

fn answer(
    address: &str,
    response: Response<Body>,
    checksum: Option<Checksum>,
    asked_for_part: bool,
) -> Result<Answer, FetchError> {
    let not_the_file = |what| FetchError::NotTheFile {
        address: address.to_owned(),
        what,
    };
    let headers = response.headers();
    if value(headers, CONTENT_TYPE.as_str()).is_some_and(|kind| kind.starts_with("text/html")) {
        return Err(not_the_file("a page for people instead of the file"));
    }
    if value(headers, CONTENT_ENCODING.as_str()).is_some_and(|encoding| encoding != "identity") {
        return Err(not_the_file("the file packed, which was not asked for"));
    }
    let (start, size) = match (response.status().as_u16(), asked_for_part) {
        (200, _) => (
            0,
            value(headers, CONTENT_LENGTH.as_str()).and_then(|n| n.parse().ok()),
        ),
        (_, true) => value(headers, CONTENT_RANGE.as_str())
            .and_then(content_range)
            .ok_or_else(|| not_the_file("a part without saying which"))?,
        _ => return Err(not_the_file("a part where the whole file was asked for")),
    };
    let version = value(headers, ETAG.as_str())
        .filter(|tag| !tag.starts_with("W/"))
        .or_else(|| value(headers, LAST_MODIFIED.as_str()))
        .map(str::to_owned);
    let facts = Facts {
        size,
        checksum,
        version,
    };
    Ok(Answer {
        facts,
        start,
        body: response.into_body(),
    })
}

fn value<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn linked_checksum(headers: &HeaderMap) -> Option<Checksum> {
    value(headers, LINKED_ETAG)?.trim_matches('"').parse().ok()
}

/// First byte and the whole file's size in `bytes 100-199/200` (RFC 9110, section 14.4).
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.trim().parse().ok()?, size.trim().parse().ok()))
}

/// What went wrong on the way, in plain words.
fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::HostNotFound => NO_HOST.to_owned(),
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::Io(error) => io_reason(error),
        ureq::Error::Rustls(error) => format!("no safe connection: {}", one_line(error)),
        other => one_line(other),
    }
}

/// The same for a connection that broke later.
pub(super) fn io_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => {
            "the server hung up".to_owned()
        }
        // The standard library has no kind for this.
        _ if error.to_string().starts_with("failed to lookup address") => NO_HOST.to_owned(),
        io::ErrorKind::TimedOut => "nothing came for a minute".to_owned(),
        _ => match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(
                inner @ (ureq::Error::Timeout(_) | ureq::Error::Io(_) | ureq::Error::Rustls(_)),
            ) => reason(inner),
            _ => one_line(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_say_where_they_start_and_how_large_the_file_is() {
        assert_eq!(content_range("bytes 0-0/575"), Some((0, Some(575))));
        assert_eq!(content_range("bytes 100-199/*"), Some((100, None)));
        for other in ["", "bytes */575", "bytes 5", "lines 0-0/5", "bytes x-5/9"] {
            assert_eq!(content_range(other), None, "{other}");
        }
    }
}
