package data

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/gtk-onnx/gtk/internal/parquet"
	"github.com/gtk-onnx/gtk/tensor"
)

// cellText is how a value of a parquet column stands in a table: the shortest text that gives the number again, dates and times as in ISO
// 8601. text reports that the column holds texts; cell is nil for columns that are neither.
func cellText(n *parquet.Node) (cell func(u *unpackedPage, i int) string, text bool) {
	whole := func(u *unpackedPage, i int) string { return strconv.FormatInt(u.Ints[i], 10) }
	switch n.Physical {
	case parquet.Boolean:
		return func(u *unpackedPage, i int) string { return strconv.FormatBool(u.Ints[i] != 0) }, false
	case parquet.Float:
		return func(u *unpackedPage, i int) string { return strconv.FormatFloat(u.Reals[i], 'g', -1, 32) }, false
	case parquet.Double:
		return func(u *unpackedPage, i int) string { return strconv.FormatFloat(u.Reals[i], 'g', -1, 64) }, false
	case parquet.Int96: // days behind nanoseconds, as Impala wrote times
		return func(u *unpackedPage, i int) string {
			b := u.Bytes[i]
			days := int64(binary.LittleEndian.Uint32(b[8:])) - 2440588
			return clock(days*86400, int64(binary.LittleEndian.Uint64(b)))
		}, true
	case parquet.Int32, parquet.Int64:
		switch n.Logical {
		case parquet.Date:
			return func(u *unpackedPage, i int) string { return time.Unix(u.Ints[i]*86400, 0).UTC().Format(time.DateOnly) }, true
		case parquet.Timestamp, parquet.Time:
			if n.Unit == 0 {
				return whole, false
			}
			return func(u *unpackedPage, i int) string {
				s := u.Ints[i] / n.Unit
				rest := (u.Ints[i] - s*n.Unit) * (1e9 / n.Unit)
				if n.Logical == parquet.Time {
					return time.Unix(s, rest).UTC().Format("15:04:05.999999999")
				}
				return clock(s, rest)
			}, true
		case parquet.Decimal:
			return func(u *unpackedPage, i int) string { return decimalText(big.NewInt(u.Ints[i]), n.Scale) }, false
		}
		if n.Unsigned {
			return func(u *unpackedPage, i int) string {
				if n.Physical == parquet.Int32 {
					return strconv.FormatUint(uint64(uint32(u.Ints[i])), 10)
				}
				return strconv.FormatUint(uint64(u.Ints[i]), 10)
			}, false
		}
		return whole, false
	}
	switch {
	case n.Logical == parquet.Decimal:
		return func(u *unpackedPage, i int) string {
			b := u.Bytes[i]
			v := new(big.Int).SetBytes(b)
			if len(b) > 0 && b[0] >= 128 {
				v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
			}
			return decimalText(v, n.Scale)
		}, false
	case n.Logical == parquet.Float16 && n.Length == 2:
		return func(u *unpackedPage, i int) string {
			t, err := tensor.FromBytes(tensor.Float16, nil, u.Bytes[i])
			if err != nil {
				return ""
			}
			return strconv.FormatFloat(t.Float64s()[0], 'g', -1, 32)
		}, false
	case n.Logical == parquet.UUID:
		return func(u *unpackedPage, i int) string { return hex.EncodeToString(u.Bytes[i]) }, true
	case n.Logical == parquet.Interval, n.Logical == parquet.BSON:
		return nil, false
	}
	return func(u *unpackedPage, i int) string { return strings.ToValidUTF8(string(u.Bytes[i]), "\uFFFD") }, true
}

// clock is a moment of seconds since 1970 and nanoseconds.
func clock(seconds, nanos int64) string {
	return time.Unix(seconds, nanos).UTC().Format("2006-01-02 15:04:05.999999999")
}

// decimalText is v with scale digits behind the point.
func decimalText(v *big.Int, scale int) string {
	if scale <= 0 || scale > 1000 {
		return v.String()
	}
	s := new(big.Int).Abs(v).String()
	if len(s) <= scale {
		s = strings.Repeat("0", scale-len(s)+1) + s
	}
	s = s[:len(s)-scale] + "." + s[len(s)-scale:]
	if v.Sign() < 0 {
		s = "-" + s
	}
	return s
}

// listType is the type of a tensor of the values of a column, 0 where they are no numbers.
func listType(n *parquet.Node) tensor.DType {
	switch {
	case n.Logical == parquet.Decimal, n.Logical == parquet.Date, n.Logical == parquet.Time, n.Logical == parquet.Timestamp:
		return 0
	case n.Physical <= parquet.Int64:
		return tensor.Int64
	case n.Physical == parquet.Float, n.Logical == parquet.Float16 && n.Length == 2:
		return tensor.Float32
	case n.Physical == parquet.Double:
		return tensor.Float64
	}
	return 0
}

// listValues makes a tensor of the numbers of one row.
func listValues(d tensor.DType, ints []int64, reals []float64, shape tensor.Shape) *tensor.Tensor {
	switch d {
	case tensor.Int64:
		return tensor.From(ints, shape...)
	case tensor.Float32:
		out := make([]float32, len(reals))
		for i, v := range reals {
			out[i] = float32(v)
		}
		return tensor.From(out, shape...)
	}
	return tensor.From(reals, shape...)
}

// notFinite is the first value that is NaN or infinite, -1 for none.
func notFinite(reals []float64) int {
	for i, v := range reals {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return i
		}
	}
	return -1
}
