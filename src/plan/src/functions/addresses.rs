//! IPv4 addresses as numbers.

use std::borrow::Cow;

use datafusion_common::Result;
use datafusion_common::arrow::array::ArrayRef;
use datafusion_expr::ScalarFunctionArgs;

use super::Nulls::Sometimes;
use super::Parameter::{Text, Whole};
use super::arguments::{Texts, Wholes, collect_text, collect_wholes};
use super::kernel::own;
use super::{Form, Function, Returns, Simple};

pub(super) fn functions() -> Vec<Function> {
    vec![
        own(
            "inet_aton",
            &[Form { parameters: &[Text], repeats: false, returns: Returns::Type(Simple::BigInt) }],
            "INET_ATON(string)",
            Sometimes,
            inet_aton,
        ),
        own(
            "inet_ntoa",
            &[Form { parameters: &[Whole], repeats: false, returns: Returns::Type(Simple::Text) }],
            "INET_NTOA(whole number)",
            Sometimes,
            inet_ntoa,
        ),
    ]
}

fn inet_aton(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let texts = Texts::of(arguments, 0)?;
    Ok(collect_wholes(arguments.number_rows, |row| number(texts.get(row)?)))
}

/// Of one to four bytes: the last one is the lowest, the others are the highest from the left. None for anything else.
fn number(address: &str) -> Option<i64> {
    let byte = |part: &str| {
        let digits = !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
        digits.then(|| part.parse::<u8>().ok()).flatten().map(i64::from)
    };
    let bytes = address.split('.').map(byte).collect::<Option<Vec<i64>>>()?;
    let (last, first) = bytes.split_last()?;
    let high = first.iter().enumerate().map(|(place, byte)| byte << (24 - 8 * place)).sum::<i64>();
    (first.len() < 4).then_some(high + last)
}

fn inet_ntoa(arguments: &ScalarFunctionArgs) -> Result<ArrayRef> {
    let numbers = Wholes::of(arguments, 0)?;
    Ok(collect_text(arguments.number_rows, |row| {
        let [a, b, c, d] = u32::try_from(numbers.get(row)?).ok()?.to_be_bytes();
        Some(Cow::Owned(format!("{a}.{b}.{c}.{d}")))
    }))
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn addresses_have_up_to_four_bytes() {
        for (address, expected) in [
            ("127.0.0.1", Some(2_130_706_433)),
            ("255.255.255.255", Some(4_294_967_295)),
            ("10.1", Some(167_772_161)),
            ("1.2.3", Some(16_908_291)),
            ("127.0.0.01", Some(2_130_706_433)),
            ("1", Some(1)),
            ("256.0.0.1", None),
            ("1.2.3.4.5", None),
            ("1..2", None),
            (" 1.2.3.4", None),
            ("+1.2.3.4", None),
            ("", None),
        ] {
            assert_eq!(number(address), expected, "{address}");
        }
    }
}
