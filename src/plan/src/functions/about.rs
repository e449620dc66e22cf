//! What the documentation says of each function: a line, under the heading of its kind.

/// The headings, each with the functions under it by their registered names.
pub const SECTIONS: &[(&str, &[(&str, &str)])] = &[
    ("Strings", STRINGS),
    ("Regular expressions", PATTERNS),
    ("Numbers", NUMBERS),
    ("Comparison", COMPARISON),
    ("Dates and times", TIMES),
    ("Arrays", ARRAYS),
    ("Maps", MAPS),
    ("JSON", JSON),
    ("Hashes, encodings and addresses", CODES),
    ("Chance", CHANCE),
];

/// The line of a function.
pub fn about(name: &str) -> Option<&'static str> {
    SECTIONS.iter().flat_map(|(_, functions)| *functions).find(|(known, _)| *known == name).map(|(_, line)| *line)
}

const STRINGS: &[(&str, &str)] = &[
    ("upper", "in capital letters"),
    ("lower", "in small letters"),
    ("initcap", "each word with a capital letter in front"),
    ("char_length", "the number of characters"),
    ("substring", "a part, from a place that is counted from 1, or from the end if negative"),
    ("left", "the first characters"),
    ("right", "the last characters"),
    ("concat", "all strings one after the other; NULL if one is"),
    ("concat_ws", "the strings that are not NULL, with a separator between them"),
    ("overlay", "with another string laid over it"),
    ("replace", "with every occurrence replaced"),
    ("translate", "with each of some characters exchanged for another, or left out"),
    ("reverse", "backwards"),
    ("repeat", "so many times"),
    ("lpad", "filled up in front to a length, or cut to it"),
    ("rpad", "filled up behind to a length, or cut to it"),
    ("btrim", "without spaces (or other characters) at both ends"),
    ("ltrim", "without spaces (or other characters) in front"),
    ("rtrim", "without spaces (or other characters) behind"),
    ("position", "where another string begins in it, from 1; 0 if nowhere"),
    ("locate", "where a string begins in another from some place on; 0 if nowhere"),
    ("split", "the parts between separators, as an ARRAY"),
    ("split_index", "the part with a number, counted from 0; NULL outside"),
    ("elt", "the string with a number among the others; NULL outside"),
    ("startswith", "whether it begins with another"),
    ("endswith", "whether it ends with another"),
    ("ascii", "the number of the first byte"),
    ("chr", "the character of a number"),
    ("is_alpha", "whether it has letters only; FALSE for NULL"),
    ("is_digit", "whether it has digits only; FALSE for NULL"),
    ("is_decimal", "whether it is a number; FALSE for NULL"),
    ("number_to_string", "a number as Java writes it"),
    ("printf", "the values in a format as in Java, with `%s %d %x %o %f %e %b %c`; NULL where one does not fit"),
];

const PATTERNS: &[(&str, &str)] = &[
    ("regexp", "whether a part matches"),
    ("regexp_extract", "what a group matches; NULL without a match"),
    ("regexp_extract_all", "what a group (the first) matches each time, as an ARRAY"),
    ("regexp_replace", "with every match replaced by what stands there: `$1` is no group"),
    ("regexp_count", "how often it matches"),
    ("regexp_instr", "where the first match begins, from 1; 0 without one"),
    ("regexp_substr", "the first match; NULL without one"),
    ("similar_to", "whether the whole matches a regular expression with `%` and `_` for anything"),
];

const NUMBERS: &[(&str, &str)] = &[
    ("plus_decimal", "the sum; NULL if it has more than 38 digits"),
    ("minus_decimal", "the difference; NULL if it has more than 38 digits"),
    ("times_decimal", "the product; NULL if it has more than 38 digits"),
    ("divide_decimal", "the quotient, rounded; fails for a divisor of zero"),
    ("modulo_decimal", "the remainder; fails for a divisor of zero"),
    ("abs", "without its sign"),
    ("sign", "-1, 0 or 1"),
    ("floor", "the whole number below"),
    ("ceil", "the whole number above"),
    ("round", "rounded half up to digits after the point, or before it if negative"),
    ("truncate", "cut to digits after the point, or before it if negative"),
    ("power", "to a power"),
    ("sqrt", "the square root"),
    ("exp", "e to a power"),
    ("ln", "the natural logarithm"),
    ("log", "the natural logarithm, or to a base"),
    ("log2", "the logarithm to base 2"),
    ("log10", "the logarithm to base 10"),
    ("sin", "the sine"),
    ("cos", "the cosine"),
    ("tan", "the tangent"),
    ("cot", "the cotangent"),
    ("asin", "the angle of a sine"),
    ("acos", "the angle of a cosine"),
    ("atan", "the angle of a tangent"),
    ("atan2", "the angle of a point"),
    ("sinh", "the hyperbolic sine"),
    ("cosh", "the hyperbolic cosine"),
    ("tanh", "the hyperbolic tangent"),
    ("degrees", "radians in degrees"),
    ("radians", "degrees in radians"),
    ("pi", "π"),
    ("e", "e"),
    ("bin", "in binary digits"),
];

const COMPARISON: &[(&str, &str)] =
    &[("greatest", "the greatest of the values; NULL if one is"), ("least", "the least of the values; NULL if one is")];

const TIMES: &[(&str, &str)] = &[
    ("current_timestamp", "the time now, as TIMESTAMP_LTZ"),
    ("localtimestamp", "the time now in the session's time zone, as TIMESTAMP"),
    ("current_date", "the day now in the session's time zone"),
    ("current_time", "the time of day now in the session's time zone"),
    (
        "current_watermark",
        "how far event time has come, NULL before the first watermark; a row is late if it is not after it",
    ),
    ("proctime", "the time at which the row is handled, as a time attribute"),
    ("unix_timestamp", "seconds since 1970, now or of a string in the session's time zone"),
    ("from_unixtime", "seconds since 1970 as a string in the session's time zone"),
    ("to_timestamp", "a string as a TIMESTAMP; NULL if it is none"),
    ("to_timestamp_ltz", "a number since 1970, or a string in a time zone (UTC), as a TIMESTAMP_LTZ"),
    ("to_date", "a string as a DATE; NULL if it is none"),
    ("date_format", "as a string by a pattern in Java's letters"),
    ("extract", "a part of it as a number"),
    ("floor_time", "the last beginning of a unit"),
    ("ceil_time", "the next beginning of a unit"),
    ("timestampadd", "moved by so many units"),
    ("local_of", "what clocks show at that moment in the session's time zone"),
    ("instant_of", "the moment at which clocks show that time in the session's time zone"),
    ("convert_tz", "a string with the time in one zone as that in another"),
    ("timestampdiff", "how many whole units lie between two"),
];

const ARRAYS: &[(&str, &str)] = &[
    ("array_append", "with an element more at the end"),
    ("array_prepend", "with an element more in front"),
    ("array_concat", "the elements of all arrays"),
    ("array_contains", "whether an element is in it"),
    ("array_position", "where an element is first, from 1; 0 if nowhere"),
    ("array_remove", "without an element"),
    ("array_distinct", "each element once"),
    ("array_reverse", "backwards"),
    ("array_union", "the elements of both, each once"),
    ("array_except", "the elements that are not in the other, each once"),
    ("array_intersect", "the elements that are in the other, too, each once"),
    ("array_slice", "the elements from one place to another; negative ones count from the end"),
    ("array_sort", "in order"),
    ("array_max", "the greatest element"),
    ("array_min", "the least element"),
    ("array_join", "the strings with a separator between them"),
    ("element", "the only element; fails if there are more"),
];

const MAPS: &[(&str, &str)] = &[
    ("map_keys", "the keys"),
    ("map_values", "the values"),
    ("map_entries", "the entries, as rows of key and value"),
    ("map_from_arrays", "of keys and as many values"),
    ("map_union", "the entries of all maps; of a key, the last one's"),
    ("str_to_map", "of a string with pairs; the separators (`,` and `=`) are regular expressions"),
];

const JSON: &[(&str, &str)] = &[
    ("json_value", "the scalar at a path, which is strict unless it begins with `lax`"),
    ("json_value_int", "the whole number at a path"),
    ("json_value_double", "the number at a path"),
    ("json_value_boolean", "the truth at a path"),
    ("json_query", "the array or object at a path"),
    ("json_query_array", "the elements of the array at a path"),
    ("json_exists", "whether there is something at a path"),
    ("is_json", "whether it is JSON, of a kind; FALSE for NULL"),
    ("json_string", "any value as JSON"),
    ("json_object", "an object of names and values"),
    ("json_array", "an array of values"),
    ("json_quote", "as a JSON string"),
    ("json_unquote", "what a JSON string says; other strings as they are"),
];

const CODES: &[(&str, &str)] = &[
    ("md5", "the MD5 digest in hexadecimal digits"),
    ("sha1", "the SHA-1 digest in hexadecimal digits"),
    ("sha224", "the SHA-224 digest in hexadecimal digits"),
    ("sha256", "the SHA-256 digest in hexadecimal digits"),
    ("sha384", "the SHA-384 digest in hexadecimal digits"),
    ("sha512", "the SHA-512 digest in hexadecimal digits"),
    ("sha2", "a SHA-2 digest of that length in hexadecimal digits"),
    ("to_base64", "in Base64"),
    ("from_base64", "what Base64 says; fails on anything else"),
    ("hex", "in hexadecimal digits"),
    ("unhex", "the bytes of hexadecimal digits; NULL for anything else"),
    ("encode", "as bytes in a character set"),
    ("decode", "what bytes say in a character set"),
    ("parse_url", "a part of a URL, or the value of a key in its query"),
    ("inet_aton", "the number of an IPv4 address; NULL for anything else"),
    ("inet_ntoa", "the IPv4 address of a number; NULL for anything else"),
    ("url_encode", "as it may stand in a URL"),
    ("url_decode", "what an encoded part of a URL says"),
];

const CHANCE: &[(&str, &str)] = &[
    ("uuid", "a UUID that nobody else has"),
    ("rand", "a number from 0 to below 1"),
    ("rand_integer", "a whole number from 0 to below the bound"),
];
