//! Functions on URLs.

use std::borrow::Cow;

use datafusion_common::Result;
use datafusion_common::arrow::array::ArrayRef;
use datafusion_expr::ScalarFunctionArgs;

use super::Nulls::{Sometimes, Strict};
use super::Parameter::Text;
use super::arguments::{Texts, collect_text};
use super::kernel::own;
use super::{Form, Function, Returns, Simple};

const TEXT: Returns = Returns::Type(Simple::Text);
const TEXT_TO_TEXT: &[Form] = &[Form { parameters: &[Text], repeats: false, returns: TEXT }];
/// Protocols of URLs that are understood.
const PROTOCOLS: [&str; 4] = ["http", "https", "ftp", "file"];

pub(super) fn functions() -> Vec<Function> {
    vec![
        own(
            "parse_url",
            &[
                Form { parameters: &[Text, Text], repeats: false, returns: TEXT },
                Form { parameters: &[Text, Text, Text], repeats: false, returns: TEXT },
            ],
            "PARSE_URL(url, part [, key])",
            Sometimes,
            parse_url,
        ),
        own("url_encode", TEXT_TO_TEXT, "URL_ENCODE(string)", Strict, url_encode),
        own("url_decode", TEXT_TO_TEXT, "URL_DECODE(string)", Sometimes, url_decode),
    ]
}

/// NULL for what is no URL, a part that it does not have, and a part that there is not.
fn parse_url(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let (urls, parts) = (Texts::of(arguments, 0)?, Texts::of(arguments, 1)?);
    let keys = (arguments.args.len() > 2).then(|| Texts::of(arguments, 2)).transpose()?;
    Ok(collect_text(arguments.number_rows, |row| {
        let url = Url::parse(urls.get(row)?)?;
        let part = parts.get(row)?;
        match &keys {
            None => url.part(part).map(Cow::Owned),
            Some(keys) => {
                let key = keys.get(row)?;
                let is_query = part == "QUERY";
                url.query.filter(|_| is_query).and_then(|query| value_of(query, key)).map(Cow::Borrowed)
            }
        }
    }))
}

struct Url<'a> {
    protocol: &'a str,
    authority: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    reference: Option<&'a str>,
}

impl<'a> Url<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (protocol, rest) = text.split_once("://")?;
        PROTOCOLS.iter().find(|known| known.eq_ignore_ascii_case(protocol))?;
        let (rest, reference) = cut(rest, '#');
        let (rest, query) = cut(rest, '?');
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Some(Self { protocol, authority, path, query, reference })
    }

    fn part(&self, name: &str) -> Option<String> {
        let (user, address) = match self.authority.rsplit_once('@') {
            Some((user, address)) => (Some(user), address),
            None => (None, self.authority),
        };
        match name {
            "PROTOCOL" => Some(self.protocol.to_ascii_lowercase()),
            "AUTHORITY" => Some(self.authority.to_string()),
            "HOST" => Some(host(address).to_string()),
            "USERINFO" => user.map(str::to_string),
            "PATH" => Some(self.path.to_string()),
            "QUERY" => self.query.map(str::to_string),
            "FILE" => Some(self.query.map_or(self.path.to_string(), |query| format!("{}?{query}", self.path))),
            "REF" => self.reference.map(str::to_string),
            _ => None,
        }
    }
}

/// An address without its port; that of IPv6 has colons of its own, and brackets.
fn host(address: &str) -> &str {
    match address.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => address,
    }
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, behind)| (before, Some(behind)))
}

fn value_of<'a>(query: &'a str, key: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
}

/// As forms are sent: letters, digits and `.-*_` stay, a space becomes `+`.
fn url_encode(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let texts = Texts::of(arguments, 0)?;
    let encoded = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => char::from(byte).to_string(),
        b' ' => "+".to_string(),
        other => format!("%{other:02X}"),
    };
    Ok(collect_text(arguments.number_rows, |row| texts.get(row).map(|text| text.bytes().map(encoded).collect())))
}

/// NULL for what was not encoded so.
fn url_decode(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let texts = Texts::of(arguments, 0)?;
    Ok(collect_text(arguments.number_rows, |row| decoded(texts.get(row)?).map(Cow::Owned)))
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                (digit()? * 16 + digit()?) as u8
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}
