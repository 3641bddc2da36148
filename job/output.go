package job

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"syscall"

	"github.com/gtk-onnx/gtk/internal/whole"
)

// Number is a float that is null in JSON when it is not finite.
type Number float64

// MarshalJSON is the number, or null.
func (n Number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON reads the number; null is NaN.
func (n *Number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = Number(math.NaN())
		return nil
	}
	return json.Unmarshal(b, (*float64)(n))
}

// MayWrite fails when path exists and force is not given, and when it cannot be written: before the work, not after it. It leaves nothing
// behind; whoever writes the file makes missing folders.
func MayWrite(path string, force bool) error {
	if _, err := os.Lstat(path); err == nil && !force {
		return usagef("%s exists already; give --force to replace it", path)
	}
	return whole.Check(path)
}

// MayFill is MayWrite for the files of a folder. A folder that is not empty needs force.
func MayFill(dir string, force bool) error {
	if dir == "" {
		return usagef("the output folder is missing: give -o DIR")
	}
	vacant, err := whole.Vacant(dir)
	switch {
	case err == nil && !vacant && !force:
		return usagef("folder %s is not empty; give --force to write into it", dir)
	case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR):
		return err
	}
	return whole.CheckFolder(dir)
}

// WriteFile writes a file that appears whole or not at all. Missing folders are made.
func WriteFile(path string, write func(w io.Writer) error) error { return whole.Write(path, write) }
