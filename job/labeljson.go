package job

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// labelKeys are where an object of more than names has them: transformers' config.json, and others.
var labelKeys = []string{"id2label", "label2id", "labels", "classes", "names", "target_labels_space"}

// labelsOfJSON reads an array of names, or an object.
func labelsOfJSON(b []byte) ([]string, error) {
	if b[0] == '[' {
		var labels []string
		if err := json.Unmarshal(b, &labels); err != nil {
			return nil, fmt.Errorf("the JSON array is not one of names: %w", err)
		}
		if len(labels) == 0 {
			return nil, fmt.Errorf("the JSON array is empty")
		}
		return labels, nil
	}
	var o map[string]json.RawMessage
	if err := json.Unmarshal(b, &o); err != nil {
		return nil, fmt.Errorf("it is no JSON: %w", err)
	}
	for _, k := range labelKeys {
		v := strings.TrimSpace(string(o[k]))
		if v == "" || v == "null" || v[0] != '[' && v[0] != '{' {
			continue
		}
		var labels []string
		var err error
		if v[0] == '[' {
			err = json.Unmarshal([]byte(v), &labels)
		} else {
			var inner map[string]json.RawMessage
			if err = json.Unmarshal([]byte(v), &inner); err == nil {
				labels, err = labelsOfObject(inner)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("under %q: %w", k, err)
		}
		if len(labels) > 0 {
			return labels, nil
		}
	}
	return labelsOfObject(o)
}

// labelsOfObject reads {"0": "cat"}, {"0": ["n02123045", "cat"]} or {"cat": 0}.
func labelsOfObject(o map[string]json.RawMessage) ([]string, error) {
	if len(o) == 0 {
		return nil, fmt.Errorf("the JSON object is empty")
	}
	names := map[int]string{}
	put := func(n int, name string) error {
		if _, twice := names[n]; twice {
			return fmt.Errorf("the number %d comes twice", n)
		}
		names[n] = name
		return nil
	}
	for k, raw := range o {
		var number int
		var name string
		var several []string
		at, err := strconv.Atoi(k)
		switch {
		case json.Unmarshal(raw, &number) == nil && string(raw) != "null":
			name = k
		case err == nil && json.Unmarshal(raw, &name) == nil && string(raw) != "null":
			number = at
		case err == nil && json.Unmarshal(raw, &several) == nil && len(several) > 0:
			number, name = at, several[len(several)-1]
		default:
			return nil, fmt.Errorf("the JSON object has no names of classes: %q is %s", k, clipped(string(raw)))
		}
		if err := put(number, name); err != nil {
			return nil, err
		}
	}
	return numbered(names)
}

// clipped is s, or its beginning.
func clipped(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}
