package testkit

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// Vector is one tensor of a file of test vectors.
type Vector struct {
	Tensor *tensor.Tensor // float32
	Desc   string
}

// Vectors reads a JSON object of {"shape": [...], "data": [...], "desc": "..."} by key. An object without "data" is a group: its
// members are keyed "group/member".
func Vectors(t testing.TB, path string) map[string]Vector {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil && strings.HasSuffix(path, ".gz") {
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(b)); err == nil {
			b, err = io.ReadAll(z)
		}
	}
	if err != nil {
		t.Fatalf("testkit: vectors: %v", err)
	}
	out := map[string]Vector{}
	if err := parseVectors(out, "", b); err != nil {
		t.Fatalf("testkit: vectors %s: %v", path, err)
	}
	return out
}

func parseVectors(out map[string]Vector, prefix string, b []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return fmt.Errorf("%s: %w", prefix, err)
	}
	for _, key := range slices.Sorted(maps.Keys(members)) {
		name := prefix + key
		var v struct {
			Shape *[]int     `json:"shape"`
			Data  *[]float32 `json:"data"`
			Desc  string     `json:"desc"`
		}
		dec := json.NewDecoder(bytes.NewReader(members[key]))
		err := dec.Decode(&v)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", name, err)
		case v.Data == nil && v.Shape == nil && prefix == "":
			if err := parseVectors(out, name+"/", members[key]); err != nil {
				return err
			}
			continue
		case v.Data == nil || v.Shape == nil:
			return fmt.Errorf("%s: no shape or no data", name)
		}
		if n, err := tensor.Shape(*v.Shape).CheckedLen(tensor.Float32); err != nil || n != len(*v.Data) {
			return fmt.Errorf("%s: %d numbers do not fill shape %v", name, len(*v.Data), tensor.Shape(*v.Shape))
		}
		out[name] = Vector{tensor.From(*v.Data, *v.Shape...), v.Desc}
	}
	return nil
}
