/* Batches as Tidemill hands them over; src/functions/ABI.md describes them. Include it once in a module: it also has the
 * module's memory for arguments and results, which is never given back, for each batch gets a fresh copy of the module.
 *
 * Copy this file into a project of yours, it is all that is needed. */
#ifndef TIDEMILL_H
#define TIDEMILL_H

#include <stdint.h>

typedef struct {
    const uint8_t *valid;    /* 1 for a value, 0 for NULL; null if no row is NULL */
    const uint32_t *offsets; /* STRING and BYTES: value i is values[offsets[i]] up to values[offsets[i + 1]] */
    const void *values;
} tidemill_column;

typedef struct {
    uint32_t rows;
    const uint32_t *of; /* results of table functions: the argument row that each row belongs to */
    tidemill_column columns[];
} tidemill_batch;

/* Exports a function; its name is its signature: TIDEMILL_FUNCTION("twice(BIGINT) -> BIGINT") */
#define TIDEMILL_FUNCTION(signature) __attribute__((export_name(signature)))

extern unsigned char __heap_base;

__attribute__((export_name("tidemill_alloc"))) void *tidemill_alloc(uint32_t bytes)
{
    static uintptr_t next;
    uintptr_t begin = ((next ? next : (uintptr_t)&__heap_base) + 7) & ~(uintptr_t)7;
    uintptr_t there = (uintptr_t)__builtin_wasm_memory_size(0) << 16;
    next = begin + bytes;
    if (next > there && (intptr_t)__builtin_wasm_memory_grow(0, (next - there + 65535) >> 16) == -1)
        __builtin_trap();
    return (void *)begin;
}

/* A result with room for so many columns. */
static inline tidemill_batch *tidemill_result(uint32_t rows, uint32_t columns)
{
    tidemill_batch *result = tidemill_alloc(sizeof(tidemill_batch) + columns * sizeof(tidemill_column));
    result->rows = rows;
    result->of = 0;
    for (uint32_t i = 0; i < columns; i++)
        result->columns[i] = (tidemill_column){0, 0, 0};
    return result;
}

static inline int tidemill_is_null(const tidemill_column *column, uint32_t row)
{
    return column->valid && !column->valid[row];
}

#endif
