package parquet

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// The ways of packing, as parquet.thrift numbers them.
const (
	plainCodec  = 0
	snappyCodec = 1
	gzipCodec   = 2
	lz4Hadoop   = 5
	zstdCodec   = 6
	lz4Codec    = 7
)

var codecNames = []string{"none", "snappy", "gzip", "lzo", "brotli", "lz4", "zstd", "lz4_raw"}

// unpack is b as it was, of exactly n bytes.
func unpack(codec int64, b []byte, n int64, ask Ask) ([]byte, error) {
	if codec == plainCodec {
		if int64(len(b)) < n {
			return nil, errShort
		}
		return b[:n], nil
	}
	if n == 0 {
		return nil, nil
	}
	if err := ask(n); err != nil {
		return nil, err
	}
	var err error
	switch codec {
	case snappyCodec:
		size, err := snappy.DecodedLen(b)
		if err != nil || int64(size) != n {
			return nil, fmt.Errorf("snappy: %d bytes where %d belong", size, n)
		}
		return snappy.Decode(make([]byte, n), b)
	case gzipCodec:
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		return filled(z, n)
	case zstdCodec:
		return unpackZstd(b, n)
	case lz4Codec, lz4Hadoop:
		dst := make([]byte, n)
		if codec == lz4Hadoop {
			if whole, ok := hadoop(dst, b); ok {
				return whole, nil
			}
		}
		size, err := lz4.UncompressBlock(b, dst)
		if err == nil && int64(size) != n {
			err = errShort
		}
		return dst, err
	}
	if name := fmt.Sprint(codec); codec > 0 && codec < int64(len(codecNames)) {
		err = form("packed by %s", codecNames[codec])
	} else {
		err = form("packed by method %s", name)
	}
	return nil, err
}

// filled is n bytes of r.
func filled(r io.Reader, n int64) ([]byte, error) {
	dst := make([]byte, n)
	_, err := io.ReadFull(r, dst)
	return dst, err
}

// readers of zstd, which are costly to make.
var readers = sync.Pool{New: func() any {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(128<<20))
	if err != nil {
		return nil // never with these options
	}
	return z
}}

func unpackZstd(b []byte, n int64) ([]byte, error) {
	z, ok := readers.Get().(*zstd.Decoder)
	if !ok {
		return nil, form("zstd")
	}
	defer readers.Put(z)
	if err := z.Reset(bytes.NewReader(b)); err != nil {
		return nil, err
	}
	return filled(z, n)
}

// hadoop unpacks lz4 as Hadoop frames it: sizes of four bytes, high ones first, before each block.
func hadoop(dst, b []byte) (whole []byte, ok bool) {
	at := 0
	for len(b) >= 8 {
		n, size := int64(binary.BigEndian.Uint32(b)), int64(binary.BigEndian.Uint32(b[4:]))
		if size > int64(len(b)-8) || n > int64(len(dst)-at) {
			return nil, false
		}
		got, err := lz4.UncompressBlock(b[8:8+size], dst[at:at+int(n)])
		if err != nil || int64(got) != n {
			return nil, false
		}
		at, b = at+got, b[8+size:]
	}
	return dst, at == len(dst) && len(b) == 0
}
