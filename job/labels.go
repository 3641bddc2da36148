package job

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"

	"github.com/gtk-onnx/gtk/internal/regular"
	"github.com/gtk-onnx/gtk/onnx"
)

// LabelsKey is the key of metadata_props under which the names of the classes travel, a JSON array of strings.
const LabelsKey = "gtk.labels"

// maxLabels is how large a file of names may be, in bytes: that of the 21,841 classes of ImageNet has half a megabyte.
const maxLabels = 16 << 20

// LabelForms says which files ReadLabels reads, for messages.
const LabelForms = `one name a line (a number "3 cat" before each, or a WordNet id, is dropped); a csv with the columns number and name; ` +
	`JSON: an array of names, {"0": "cat"}, {"cat": 0}, {"0": ["n02123045", "cat"]}, or an object with such a thing under ` +
	`id2label, label2id, labels, classes or names`

// modelLabels are the names of the classes in the file path, or in the metadata of the model when path is "".
func modelLabels(path string, m *onnx.Model) ([]string, error) {
	if path != "" {
		return ReadLabels(path)
	}
	s, ok := m.Metadata(LabelsKey)
	if !ok {
		return nil, nil
	}
	var labels []string
	if err := json.Unmarshal([]byte(s), &labels); err != nil {
		return nil, badInput(fmt.Errorf("metadata %s of the model is not a JSON array of strings: %w", LabelsKey, err))
	}
	return labels, nil
}

// ReadLabels reads the names of the classes 0, 1, … in the forms that LabelForms lists: text and csv of UTF-8 or UTF-16, and the JSON of
// transformers' config.json, Keras' class_indices and ImageNet's class index. Where names have numbers, these must be 0 to K−1, each once.
func ReadLabels(path string) ([]string, error) {
	b, err := regular.Read(path, maxLabels)
	if err != nil {
		return nil, fmt.Errorf("--labels: %w", err)
	}
	text := strings.TrimSpace(plainText(b))
	var labels []string
	switch {
	case text == "":
		err = fmt.Errorf("the file is empty")
	case strings.ContainsRune(text, 0):
		err = fmt.Errorf("it is not a text")
	case text[0] == '[' || text[0] == '{':
		labels, err = labelsOfJSON([]byte(text))
	case isTable(path):
		labels, err = labelsOfTable(text)
	default:
		labels, err = labelsOfLines(text)
	}
	if err != nil {
		return nil, badInput(fmt.Errorf("--labels %s: %w. Readable are: %s", path, err, LabelForms))
	}
	return labels, nil
}

// plainText is b without a byte order mark, and in UTF-8.
func plainText(b []byte) string {
	big := len(b) >= 2 && b[0] == 0xFE && b[1] == 0xFF
	if !big && !(len(b) >= 2 && b[0] == 0xFF && b[1] == 0xFE) {
		return strings.TrimPrefix(string(b), "\ufeff")
	}
	u := make([]uint16, 0, len(b)/2)
	for i := 2; i+1 < len(b); i += 2 {
		lo, hi := b[i], b[i+1]
		if big {
			lo, hi = hi, lo
		}
		u = append(u, uint16(lo)|uint16(hi)<<8)
	}
	return string(utf16.Decode(u))
}

// numbered puts names in the order of their numbers, which are 0 to K−1.
func numbered(names map[int]string) ([]string, error) {
	labels := make([]string, len(names))
	for i := range labels {
		name, ok := names[i]
		if !ok {
			return nil, fmt.Errorf("classes are counted from 0, and number %d is missing among %d", i, len(names))
		}
		labels[i] = name
	}
	return labels, nil
}

// setLabels stores the names of the classes in the metadata of a model.
func setLabels(m *onnx.Model, labels []string) error {
	b, err := json.Marshal(labels)
	if err != nil {
		return err
	}
	m.SetMetadata(LabelsKey, string(b))
	return nil
}
