;; Products of one line of numbers with many: the source of what products.js holds as base64.
;; sums[j] = line . table[j], all in float32; a line is a whole number of 32 bytes long.
(module
  (import "canvas" "memory" (memory 1))
  (func (export "products")
    (param $line i32) (param $table i32) (param $sums i32) (param $bytes i32) (param $count i32)
    (local $k i32) (local $a v128) (local $b v128)
    (block $done
      (loop $row
        (br_if $done (i32.eqz (local.get $count)))
        (local.set $a (v128.const f32x4 0 0 0 0))
        (local.set $b (v128.const f32x4 0 0 0 0))
        (local.set $k (i32.const 0))
        (loop $next
          (local.set $a (f32x4.add (local.get $a) (f32x4.mul
            (v128.load (i32.add (local.get $line) (local.get $k)))
            (v128.load (i32.add (local.get $table) (local.get $k))))))
          (local.set $b (f32x4.add (local.get $b) (f32x4.mul
            (v128.load offset=16 (i32.add (local.get $line) (local.get $k)))
            (v128.load offset=16 (i32.add (local.get $table) (local.get $k))))))
          (local.set $k (i32.add (local.get $k) (i32.const 32)))
          (br_if $next (i32.lt_u (local.get $k) (local.get $bytes))))
        (local.set $a (f32x4.add (local.get $a) (local.get $b)))
        (f32.store (local.get $sums) (f32.add
          (f32.add (f32x4.extract_lane 0 (local.get $a)) (f32x4.extract_lane 1 (local.get $a)))
          (f32.add (f32x4.extract_lane 2 (local.get $a)) (f32x4.extract_lane 3 (local.get $a)))))
        (local.set $table (i32.add (local.get $table) (local.get $bytes)))
        (local.set $sums (i32.add (local.get $sums) (i32.const 4)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $row)))))
