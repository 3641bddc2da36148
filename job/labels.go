package job

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/gtk-onnx/gtk/onnx"
)

// LabelsKey is the key of metadata_props under which the names of the classes travel, a JSON array of strings.
const LabelsKey = "gtk.labels"

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

// ReadLabels reads names of classes: a JSON array, a JSON object with such an array under labels, classes or target_labels_space,
// or one name a line, where a leading WordNet id such as n01440764 is dropped.
func ReadLabels(path string) ([]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--labels: %w", err)
	}
	bad := func(format string, args ...any) error {
		return badInput(fmt.Errorf("--labels %s: "+format, append([]any{path}, args...)...))
	}
	var labels []string
	switch text := strings.TrimSpace(strings.TrimPrefix(string(b), "\ufeff")); {
	case text == "":
		return nil, bad("the file is empty")
	case text[0] == '[':
		if err := json.Unmarshal([]byte(text), &labels); err != nil {
			return nil, bad("want a JSON array of strings: %w", err)
		}
	case text[0] == '{':
		var o map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			return nil, bad("%w", err)
		}
		keys := []string{"labels", "classes", "target_labels_space"}
		for _, k := range keys {
			if err := json.Unmarshal(o[k], &labels); err == nil && len(labels) > 0 {
				break
			}
		}
		if len(labels) == 0 {
			return nil, bad("the JSON object has no array of strings under %s", strings.Join(keys, ", "))
		}
	default:
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			if id, name, ok := strings.Cut(line, " "); ok && isWordNetID(id) {
				line = strings.TrimSpace(name)
			}
			labels = append(labels, line)
		}
	}
	return labels, nil
}

// isWordNetID reports whether s is n and eight digits.
func isWordNetID(s string) bool {
	if len(s) != 9 || s[0] != 'n' {
		return false
	}
	return strings.Trim(s[1:], "0123456789") == ""
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
