package schema

import (
	"slices"
	"testing"
)

// TestTable reads what is known of a few operators, and sees that all of the tables is well-formed.
func TestTable(t *testing.T) {
	for k, all := range table() {
		last := 0
		for _, o := range all {
			if o.Since <= last {
				t.Errorf("%v: version %d after %d", k, o.Since, last)
			}
			last = o.Since
			if o.Unknown || o.Deprecated {
				continue
			}
			if len(o.Out) == 0 || o.MinIn > len(o.In) && !o.In[len(o.In)-1].Variadic {
				t.Errorf("%v %d: inputs or outputs are malformed", k, o.Since)
			}
			for _, f := range slices.Concat(o.In, o.Out) {
				if _, ok := o.Types[f.Type]; !ok && !concrete(f.Type) {
					t.Errorf("%v %d: %q is no type", k, o.Since, f.Type)
				}
			}
			for _, a := range o.Attrs {
				if a.Name == "" || a.Type == 0 {
					t.Errorf("%v %d: attribute %q is malformed", k, o.Since, a.Name)
				}
			}
		}
	}
	if o, _ := Find("ai.onnx", "Squeeze", 12); o == nil || o.Since != 11 || o.Attr("axes") == nil {
		t.Errorf("Squeeze in 12: %+v", o)
	}
	if o, _ := Find("", "Squeeze", 13); o == nil || len(o.In) != 2 || o.Attr("axes") != nil || !o.In[1].Optional {
		t.Errorf("Squeeze in 13: %+v", o)
	}
	if o, _ := Find("", "Pad", 25); o == nil || len(o.In) != 4 || o.Since != 25 {
		t.Errorf("Pad in 25: %+v", o)
	}
	if o, known := Find("", "Gelu", 19); o != nil || !known {
		t.Errorf("Gelu in 19: %+v, %v", o, known)
	}
	if o, _ := Find("", "Upsample", 10); o == nil || !o.Deprecated {
		t.Errorf("Upsample in 10: %+v", o)
	}
}
