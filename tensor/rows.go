package tensor

// CopyRows copies rows lo to hi of src, which is n rows of one size, over the rows of dst from at on, which must be of that size and type.
func CopyRows(dst *Tensor, at int, src *Tensor, lo, hi, n int) {
	if src.dtype == String {
		row := len(src.str) / max(1, n)
		copy(dst.str[at*row:], src.str[lo*row:hi*row])
		return
	}
	row := len(src.raw) / max(1, n)
	copy(dst.raw[at*row:], src.raw[lo*row:hi*row])
}
