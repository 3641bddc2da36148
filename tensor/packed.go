package tensor

// Types below one byte are packed, first element in the low bits; the bits after the last element are zero.
//
// Source: https://onnx.ai/onnx/technical/int4.html, float4.html and int2.html (packing and unpacking).

// unpack is element i of raw in a type of 2 or 4 bits, not sign-extended.
func unpack(raw []byte, bits, i int) uint8 {
	at := i * bits
	return raw[at>>3] >> (at & 7) & (1<<bits - 1)
}

// pack stores the low bits of v as element i of raw, whose bits there are still zero.
func pack(raw []byte, bits, i int, v uint8) {
	at := i * bits
	raw[at>>3] |= v & (1<<bits - 1) << (at & 7)
}

// signExtend is the value of the two's complement number in the low bits of v.
func signExtend(v uint8, bits int) int8 { return int8(v<<(8-bits)) >> (8 - bits) }
