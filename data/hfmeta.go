package data

import "encoding/json"

// hfFeature is what Hugging Face's datasets write about a column in the key "huggingface" of a parquet file.
//
// Source: https://huggingface.co/docs/datasets/about_dataset_features.
type hfFeature struct {
	Type  string   // ClassLabel, Image, Audio, Sequence, List, Value …
	Names []string // of classes
	Of    *hfFeature
}

// UnmarshalJSON takes an object with _type, or a list of one such object, which is a sequence of them.
func (f *hfFeature) UnmarshalJSON(b []byte) error {
	var several []hfFeature
	if json.Unmarshal(b, &several) == nil && len(several) == 1 {
		*f = hfFeature{Type: "Sequence", Of: &several[0]}
		return nil
	}
	var one struct {
		Type    string          `json:"_type"`
		Names   json.RawMessage `json:"names"`
		Feature json.RawMessage `json:"feature"`
	}
	if json.Unmarshal(b, &one) != nil {
		return nil // a structure of features: nothing is known of it
	}
	f.Type = one.Type
	if json.Unmarshal(one.Names, &f.Names) != nil {
		f.Names = nil
	}
	var of hfFeature
	if one.Feature != nil && json.Unmarshal(one.Feature, &of) == nil && of.Type != "" {
		f.Of = &of
	}
	return nil
}

// classNames is the names of the classes that a column, or a list in it, numbers; nil for none.
func (f hfFeature) classNames() []string {
	if f.Type == "ClassLabel" {
		return f.Names
	}
	return nil
}

// hfFeatures is what the metadata of a file say about its columns.
func hfFeatures(meta string) map[string]hfFeature {
	var m struct {
		Info struct {
			Features map[string]hfFeature `json:"features"`
		} `json:"info"`
	}
	if json.Unmarshal([]byte(meta), &m) != nil {
		return nil
	}
	return m.Info.Features
}
