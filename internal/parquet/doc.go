// Package parquet reads Parquet files column by column, a page at a time, with random access to pages. Nothing that a file claims is
// believed before it is checked against what the file can hold: memory is asked for before it is taken, and what unfolds beyond measure is
// refused. Unpacking is by github.com/klauspost/compress and github.com/pierrec/lz4.
//
// Source: https://parquet.apache.org/docs/file-format/ and https://github.com/apache/parquet-format (parquet.thrift, Encodings.md).
package parquet

import (
	"errors"
	"fmt"
)

// Ask is asked before so many bytes are allocated.
type Ask func(bytes int64) error

// ErrForm is in the error of a file that is whole and of a form that is not read.
var ErrForm = errors.New("not read")

// ErrUnfolds is in the error of what unfolds to a multiple of its size that no data have.
var ErrUnfolds = errors.New("it unfolds to far more than its size")

// errShort is the error of what ends before it is complete.
var errShort = errors.New("cut short")

func form(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrForm)
}

// Bounds of what a file may claim.
const (
	unfolds   = 16 << 20 // bytes of a page, whatever its packed size
	ratio     = 200      // times its packed size
	manyCells = 1 << 22  // values of a file, whatever its size
	perByte   = 64       // values for each byte of the file
	maxFooter = 256 << 20
	maxHeader = 16 << 20 // of a page, which may have statistics in it
	maxDepth  = 32       // of a schema and of what is in its structures
)
