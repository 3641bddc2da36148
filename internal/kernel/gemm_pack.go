package kernel

// dotRows is a few dot products with one vector: out[i] = Σ_p x[p]·mat[i*ld+p].
var dotRows = dotRowsGeneric

func dotRowsGeneric(k int, x, mat []float32, ld int, out []float32) {
	x = x[:k]
	for i := range out {
		row := mat[i*ld : i*ld+k]
		var s [4]float32
		p := 0
		for ; p+4 <= k; p += 4 {
			s[0] += x[p] * row[p]
			s[1] += x[p+1] * row[p+1]
			s[2] += x[p+2] * row[p+2]
			s[3] += x[p+3] * row[p+3]
		}
		for ; p < k; p++ {
			s[0] += x[p] * row[p]
		}
		out[i] = (s[0] + s[1]) + (s[2] + s[3])
	}
}

// packTransposed copies a matrix of rows × k (strides rs and ks) to k-major order with row stride width, zero beyond rows:
//
//	for p := range k { for r := range width { dst[p*width+r] = r < rows ? src[r*rs+p*ks] : 0 } }
func packTransposed(dst []float32, width int, src []float32, rs, ks, rows, k int) {
	switch {
	case rs == 1:
		packRows(dst, width, src, ks, rows, k)
	case ks == 1:
		packColumns(dst, width, src, rs, rows, k)
	default:
		for p := range k {
			for r := range width {
				var v float32
				if r < rows {
					v = src[r*rs+p*ks]
				}
				dst[p*width+r] = v
			}
		}
	}
}

// packRows is packTransposed for rs == 1: k short copies.
//
//	for p := range k { copy(dst[p*width:], src[p*ld:][:cols]); the rest of width is 0 }
var packRows = packRowsGeneric

func packRowsGeneric(dst []float32, width int, src []float32, ld, cols, k int) {
	for p := range k {
		d := dst[p*width : p*width+width]
		copy(d, src[p*ld:p*ld+cols])
		clear(d[cols:])
	}
}

// packColumns is packTransposed for ks == 1.
//
//	for p := range k { for r := range width { dst[p*width+r] = r < rows ? src[r*ld+p] : 0 } }
var packColumns = packColumnsGeneric

func packColumnsGeneric(dst []float32, width int, src []float32, ld, rows, k int) {
	if k == 0 {
		return
	}
	dst = dst[:width*k]
	for r := range rows {
		at := r
		for _, v := range src[r*ld : r*ld+k] {
			dst[at] = v
			at += width
		}
	}
	for r := rows; r < width; r++ {
		for at := r; at < len(dst); at += width {
			dst[at] = 0
		}
	}
}
