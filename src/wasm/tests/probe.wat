;; Functions for tests: some that work, and one for each way to fail.
(module
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 1024))
  (global $calls (mut i32) (i32.const 0))
  (global $ready (mut i32) (i32.const 0))

  (func $alloc (export "tidemill_alloc") (param $bytes i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.set $next (i32.add (local.get $at) (local.get $bytes)))
    (loop $grow
      (if (i32.gt_u (global.get $next) (i32.shl (memory.size) (i32.const 16)))
        (then
          (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable))
          (br $grow))))
    (local.get $at))

  (func (export "_initialize") (global.set $ready (i32.const 1)))

  ;; The argument is the result.
  (func
    (export "same(BOOLEAN) -> BOOLEAN") (export "same(INT) -> INT") (export "same(BIGINT) -> BIGINT")
    (export "same(DOUBLE) -> DOUBLE") (export "same(STRING) -> STRING") (export "same(BYTES) -> BYTES")
    (export "same(TIMESTAMP) -> TIMESTAMP") (export "first(INT, STRING) -> INT")
    (param i32) (result i32)
    (local.get 0))

  ;; Fails unless the module is as new.
  (func (export "fresh(INT) -> INT") (param i32) (result i32)
    (if (i32.or (global.get $calls) (i32.eqz (global.get $ready))) (then unreachable))
    (global.set $calls (i32.const 1))
    (local.get 0))

  ;; As many rows as the number says, counting down.
  (func (export "down(INT) -> TABLE(n INT)") (param $in i32) (result i32)
    (local $rows i32) (local $values i32) (local $row i32) (local $left i32)
    (local $total i32) (local $of i32) (local $numbers i32) (local $result i32)
    (local.set $rows (i32.load (local.get $in)))
    (local.set $values (i32.load offset=16 (local.get $in)))
    (loop $count
      (if (i32.lt_u (local.get $row) (local.get $rows))
        (then
          (local.set $total (i32.add (local.get $total)
            (i32.load (i32.add (local.get $values) (i32.shl (local.get $row) (i32.const 2))))))
          (local.set $row (i32.add (local.get $row) (i32.const 1)))
          (br $count))))
    (local.set $of (call $alloc (i32.shl (local.get $total) (i32.const 2))))
    (local.set $numbers (call $alloc (i32.shl (local.get $total) (i32.const 2))))
    (local.set $row (i32.const 0))
    (local.set $total (i32.const 0))
    (loop $next
      (if (i32.lt_u (local.get $row) (local.get $rows))
        (then
          (local.set $left (i32.load (i32.add (local.get $values) (i32.shl (local.get $row) (i32.const 2)))))
          (loop $more
            (if (local.get $left)
              (then
                (i32.store (i32.add (local.get $of) (i32.shl (local.get $total) (i32.const 2))) (local.get $row))
                (i32.store (i32.add (local.get $numbers) (i32.shl (local.get $total) (i32.const 2))) (local.get $left))
                (local.set $total (i32.add (local.get $total) (i32.const 1)))
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                (br $more))))
          (local.set $row (i32.add (local.get $row) (i32.const 1)))
          (br $next))))
    (local.set $result (call $alloc (i32.const 20)))
    (i32.store (local.get $result) (local.get $total))
    (i32.store offset=4 (local.get $result) (local.get $of))
    (i32.store offset=16 (local.get $result) (local.get $numbers))
    (local.get $result))

  (func (export "endless(INT) -> INT") (param i32) (result i32) (loop $ever (br $ever)) unreachable)

  (func (export "hungry(INT) -> INT") (param i32) (result i32)
    (loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
    unreachable)

  (func $deep (export "deep(INT) -> INT") (param i32) (result i32)
    (i32.add (call $deep (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))

  (func (export "broken(INT) -> INT") (param i32) (result i32) unreachable)

  (func (export "outside(INT) -> INT") (param i32) (result i32) (i32.const -16))

  ;; A batch without rows.
  (func (export "nothing(INT) -> INT") (param i32) (result i32) (i32.const 0))

  ;; One row: values beyond the memory, a text that is none, offsets that descend, a row of the 100th argument row.
  (data (i32.const 100) "\01\00\00\00" "\00\00\00\00" "\00\00\00\00" "\00\00\00\00" "\00\00\ff\7f")
  (func (export "far(INT) -> INT") (param i32) (result i32) (i32.const 100))
  (data (i32.const 200) "\01\00\00\00" "\00\00\00\00" "\00\00\00\00" "\dc\00\00\00" "\e8\00\00\00" "\00\00\00\00" "\01\00\00\00")
  (data (i32.const 232) "\ff")
  (func (export "garbled(INT) -> STRING") (param i32) (result i32) (i32.const 200))
  (data (i32.const 300) "\01\00\00\00" "\00\00\00\00" "\00\00\00\00" "\40\01\00\00" "\48\01\00\00" "\09\00\00\00" "\01\00\00\00")
  (func (export "descending(INT) -> BYTES") (param i32) (result i32) (i32.const 300))
  (data (i32.const 400) "\01\00\00\00" "\a4\01\00\00" "\00\00\00\00" "\00\00\00\00" "\a4\01\00\00" "\63\00\00\00")
  (func (export "strange(INT) -> TABLE(n INT)") (param i32) (result i32) (i32.const 400)))
