package data

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"

	"github.com/gtk-onnx/gtk/tensor"
)

// digitsFile is 1797 records of 65 bytes, gzip: 64 pixels 0..16 row by row, then the digit, in the order of the source.
//
// Licence: the data is by E. Alpaydin and C. Kaynak (Optical Recognition of Handwritten Digits, test partition, UCI Machine Learning
// Repository, 1998, https://doi.org/10.24432/C50P49), CC BY 4.0, https://creativecommons.org/licenses/by/4.0/. The numbers
// are unchanged (taken from scikit-learn's digits.csv.gz, sha256 46abec6b…f1464a); the form is ours.
//
//go:embed digits.bin.gz
var digitsFile []byte

func init() {
	register(Format{
		Name: "digits", Doc: "1797 handwritten digits of 8×8 pixels, embedded",
		Source: "E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository 1998, " +
			"https://doi.org/10.24432/C50P49 (CC BY 4.0)",
		builtin: true,
		splits:  []string{"train", "test", "all"},
		open:    openDigits,
	})
}

const (
	digitsCount  = 1797
	digitsRecord = 8*8 + 1
)

// openDigits gives the test partition of the UCI set (the one scikit-learn ships): X uint8 [1,8,8], values 0..16. The split is fixed:
// of each class every fifth example, in the order of the source, is test (355), the others are train (1442).
// Without a split all examples are given.
func openDigits(spec Spec, o Options, _ int) (Dataset, error) {
	z, err := gzip.NewReader(bytes.NewReader(digitsFile))
	if err != nil {
		return nil, fmt.Errorf("data: digits: %w", err)
	}
	raw, err := io.ReadAll(z)
	if err != nil || len(raw) != digitsCount*digitsRecord {
		return nil, fmt.Errorf("data: digits: embedded file has %d bytes: %w", len(raw), err)
	}
	m := &memory{path: "digits", dtype: tensor.Uint8, shape: tensor.Shape{1, 8, 8}, picture: true, suggest: Preprocess{Scale: 1. / 16}}
	if m.classes, err = numberedClasses("digits", 9, o.Classes); err != nil {
		return nil, err
	}
	var seen [10]int
	for i := range digitsCount {
		r := raw[i*digitsRecord : (i+1)*digitsRecord]
		l := r[64]
		seen[l]++
		test := seen[l]%5 == 0
		if spec.Split == "train" && test || spec.Split == "test" && !test {
			continue
		}
		m.raw = append(m.raw, r[:64]...)
		m.labels = append(m.labels, int32(l))
		m.ids = append(m.ids, fmt.Sprintf("digits/%d", i))
		m.n++
	}
	return m, nil
}
