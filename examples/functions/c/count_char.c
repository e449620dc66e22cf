/* How often a character is in a text. Built by ../build.sh. */
#include "tidemill.h"

/* The text's first character in UTF-8, as bytes; 0 for an empty text. */
static uint32_t first_character(const uint8_t *text, uint32_t bytes)
{
    uint32_t end = bytes ? 1 : 0;
    while (end < bytes && (text[end] & 0xC0) == 0x80)
        end++;
    return end;
}

static int64_t count(const uint8_t *text, uint32_t bytes, const uint8_t *wanted, uint32_t length)
{
    int64_t found = 0;
    for (uint32_t at = 0; length && at + length <= bytes; at++) {
        uint32_t same = 0;
        while (same < length && text[at + same] == wanted[same])
            same++;
        found += same == length;
    }
    return found;
}

TIDEMILL_FUNCTION("count_char(STRING, STRING) -> BIGINT")
const tidemill_batch *count_char(const tidemill_batch *arguments)
{
    const tidemill_column *texts = &arguments->columns[0], *characters = &arguments->columns[1];
    const uint8_t *text = texts->values, *character = characters->values;
    uint32_t rows = arguments->rows;
    tidemill_batch *result = tidemill_result(rows, 1);
    uint8_t *valid = tidemill_alloc(rows);
    int64_t *values = tidemill_alloc(rows * sizeof(int64_t));
    for (uint32_t row = 0; row < rows; row++) {
        uint32_t begin = texts->offsets[row], bytes = texts->offsets[row + 1] - begin;
        const uint8_t *wanted = character + characters->offsets[row];
        uint32_t length = first_character(wanted, characters->offsets[row + 1] - characters->offsets[row]);
        valid[row] = !tidemill_is_null(texts, row) && !tidemill_is_null(characters, row);
        values[row] = count(text + begin, bytes, wanted, length);
    }
    result->columns[0].valid = valid;
    result->columns[0].values = values;
    return result;
}
