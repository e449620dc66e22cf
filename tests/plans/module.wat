;; What functions in these cases are created from. Only their signatures matter here.
(module
  (memory (export "memory") 1)
  (func
    (export "tidemill_alloc")
    (export "count_char(STRING, STRING) -> BIGINT")
    (export "half(DOUBLE) -> DOUBLE")
    (export "half(BIGINT) -> BIGINT")
    (export "tomorrow(TIMESTAMP) -> TIMESTAMP")
    (export "words(STRING) -> TABLE(word STRING, length INT)")
    (param i32) (result i32)
    unreachable))
