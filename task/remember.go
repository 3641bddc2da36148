package task

import (
	"encoding/json"
	"slices"

	"github.com/gtk-onnx/gtk/onnx"
)

// MetadataKey is the entry of a model's metadata that says what the model was trained for: a JSON object with task, one of KindNames, and
// output, the name of the output that is meant.
const MetadataKey = "gtk.task"

// memory is what the entry holds.
type memory struct {
	Task   string `json:"task"`
	Output string `json:"output"`
}

// Remember writes what the model is for into its metadata, so that Of, OfModel and Seen need not be told again.
func (t *Task) Remember(file *onnx.Model) {
	m := memory{Task: t.asked, Output: t.Head.Output}
	switch {
	case m.Task != "":
	case t.predicts():
		m.Task = "language-model"
	case t.text && t.Kind == Dense:
		m.Task = "tokens"
	default:
		m.Task = string(t.Kind)
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic(err) // two strings
	}
	file.SetMetadata(MetadataKey, string(b))
}

// Remembered completes o by what the metadata of file say, where it names neither a task nor another output. The task "auto" is a name:
// it has the data decide. An entry that does not fit the file counts for nothing.
func (o Options) Remembered(file *onnx.Model) Options {
	m, ok := remembered(file)
	if ok && o.Kind == "" && (o.Output == "" || o.Output == m.Output) {
		o.Kind, o.Output = m.Task, m.Output
	}
	return o
}

func remembered(file *onnx.Model) (m memory, ok bool) {
	s, ok := file.Metadata(MetadataKey)
	if !ok || json.Unmarshal([]byte(s), &m) != nil || !slices.Contains(KindNames(), m.Task) {
		return m, false
	}
	for _, o := range file.Outputs() {
		if o.GetName() == m.Output {
			return m, true
		}
	}
	return m, false
}
