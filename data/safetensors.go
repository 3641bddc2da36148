package data

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	register(Format{
		Name: "safetensors",
		Doc: "arrays by their names, as those of an npz: x, y or labels, arrays [N,…] named as a model's inputs; names of classes in the " +
			"metadata; rows of large ones are read from the file when they are asked for",
		Source: "https://github.com/huggingface/safetensors",
		splits: npzSplits,
		query:  []string{"as", "task"},
		is: func(path string, info fs.FileInfo) bool {
			return !info.IsDir() && strings.HasSuffix(strings.ToLower(path), ".safetensors")
		},
		open: openSafetensors,
	})
}

// maxTensorHeader is the most bytes that the header of a file may have, as its own library has it.
const maxTensorHeader = 100_000_000

// tensorTypes is the types of arrays.
var tensorTypes = map[string]tensor.DType{
	"BOOL": tensor.Bool, "U8": tensor.Uint8, "I8": tensor.Int8, "U16": tensor.Uint16, "I16": tensor.Int16, "U32": tensor.Uint32,
	"I32": tensor.Int32, "U64": tensor.Uint64, "I64": tensor.Int64, "F16": tensor.Float16, "BF16": tensor.BFloat16, "F32": tensor.Float32,
	"F64": tensor.Float64, "F8_E4M3": tensor.Float8E4M3FN, "F8_E5M2": tensor.Float8E5M2, "C64": tensor.Complex64,
}

// openSafetensors reads the arrays of a file as those of an npz, see openNPZ. The metadata may name the classes in classes or class_names,
// as a list in JSON. Settings: ?as= &task= as there.
func openSafetensors(spec Spec, o Options, _ int) (Dataset, error) {
	if spec.Query.Has("task") {
		o.Task = spec.Query.Get("task")
	}
	if err := o.checkTask(spec.Path); err != nil {
		return nil, err
	}
	if isFolder(spec.Path) {
		return nil, aFolder(spec.Path)
	}
	disk, err := newOnDisk(spec.Path)
	if err != nil {
		return nil, err
	}
	arrays, late, err := readSafetensors(disk, o)
	if err != nil {
		return nil, err
	}
	return arraySet(spec, arrays, late, o)
}

func readSafetensors(disk *onDisk, o Options) ([]tensor.Named, map[*tensor.Tensor]*stored, error) {
	wrong := func(place, format string, args ...any) error {
		return malformed(disk.path, place, "the file is damaged or cut short; fetch it again", format, args...)
	}
	head, err := disk.piece(0, 8)
	if err != nil {
		return nil, nil, err
	}
	n := binary.LittleEndian.Uint64(head)
	if n > maxTensorHeader || int64(n) > disk.size-8 {
		return nil, nil, wrong("", "a header of %d bytes in a file of %d", n, disk.size)
	}
	held := &ledger{what: "the header of " + disk.path}
	defer held.release()
	if err := held.add(12 * int64(n)); err != nil {
		return nil, nil, fmt.Errorf("data: %w", err)
	}
	if head, err = disk.piece(8, int64(n)); err != nil {
		return nil, nil, err
	}
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(head, &entries); err != nil {
		return nil, nil, &FormatError{Path: disk.path, Problem: "cannot read the header", Err: err,
			Remedy: "the file is damaged, or no safetensors file; fetch it again"}
	}
	var arrays []tensor.Named
	late := map[*tensor.Tensor]*stored{}
	total := int64(0)
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if name == "__metadata__" {
			names, err := classesIn(entries[name])
			if err != nil {
				return nil, nil, wrong(name, "%v", err)
			}
			if names != nil {
				arrays = append(arrays, tensor.Named{Name: "classes", Tensor: tensor.FromStrings(names, len(names))})
			}
			continue
		}
		var e struct {
			DType   string   `json:"dtype"`
			Shape   []int    `json:"shape"`
			Offsets [2]int64 `json:"data_offsets"`
		}
		if err := json.Unmarshal(entries[name], &e); err != nil {
			return nil, nil, wrong(clip(name), "%v", err)
		}
		d, ok := tensorTypes[e.DType]
		if !ok {
			return nil, nil, malformed(disk.path, clip(name), "convert it to F32 or I64", "arrays of type %s are not read", clip(e.DType))
		}
		count, err := tensor.Shape(e.Shape).CheckedLen(d)
		if err != nil {
			return nil, nil, wrong(clip(name), "%v", err)
		}
		from, to := e.Offsets[0], e.Offsets[1]
		if from < 0 || to < from || to > disk.size-8-int64(n) || to-from != int64(d.Size(count)) {
			return nil, nil, wrong(clip(name), "bytes %d to %d for an array of %d, in a file with %d", from, to, d.Size(count),
				disk.size-8-int64(n))
		}
		at := 8 + int64(n) + from
		if to-from > keptArray && !readWhole(name) && len(e.Shape) > 0 {
			s, stands, err := newStored(disk, at, d, e.Shape)
			if err != nil {
				return nil, nil, err
			}
			late[stands] = s
			arrays = append(arrays, tensor.Named{Name: name, Tensor: stands})
			continue
		}
		if total += to - from; total > o.Limits.bytes() {
			return nil, nil, overLimit(disk.path, clip(name), "the arrays", o.Limits)
		}
		t, err := tensor.Make("an array of "+disk.path, d, e.Shape...)
		if err != nil {
			return nil, nil, fmt.Errorf("data: %s: %w", disk.path, err)
		}
		if to > from {
			if _, err := disk.ReadAt(t.Bytes(), at); err != nil {
				return nil, nil, fmt.Errorf("data: %s: %w", disk.path, err)
			}
		}
		if d == tensor.Bool {
			for i, v := range t.Bytes() {
				t.Bytes()[i] = min(v, 1)
			}
		}
		arrays = append(arrays, tensor.Named{Name: name, Tensor: t})
	}
	return arrays, late, nil
}

// classesIn is the names of classes that the metadata of a file have, nil for none.
func classesIn(metadata []byte) (names []string, err error) {
	var m map[string]string
	if err := json.Unmarshal(metadata, &m); err != nil {
		return nil, err
	}
	for _, key := range []string{"classes", "class_names"} {
		if s, ok := m[key]; ok && json.Unmarshal([]byte(s), &names) == nil && len(names) > 0 {
			return names, nil
		}
	}
	return nil, nil
}
