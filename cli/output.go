package cli

import (
	"encoding/json"
	"fmt"
)

// emit prints v, whose schema field names its form, as one JSON object when --json is given.
func (e *env) emit(v any) error {
	if !e.JSON {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.Stdout, "%s\n", b)
	return err
}
