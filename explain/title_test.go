package explain

import (
	"strings"
	"testing"
)

func TestTitles(t *testing.T) {
	for request, want := range map[string]string{
		"gradient":             "Gradient",
		"gradient:reduce=l2":   "Gradient, l2",
		"gradcam":              "Grad-CAM",
		"gradcam:relu=false":   "Grad-CAM, no relu",
		"smooth-gradcam++:n=8": "Smooth Grad-CAM++, 8 samples",
		"smooth-gradcam++:n=1:noise-spread=0.3:top-channels=5": "Smooth Grad-CAM++, top 5 channels, 1 sample, noise 0.3",
		"smooth-gradcam++:channels=0,2:neurons=1:3,0:2":        "Smooth Grad-CAM++, channels 0,2, neurons 1:3,0:2",
		"normgrad:phase1=conv3x3_depthwise:phase2=filter_norm": "NormGrad, conv3x3 depthwise, filter norm",
	} {
		r, err := ParseRequest(request)
		if err != nil {
			t.Fatal(err)
		}
		b, err := bind(r)
		if err != nil {
			t.Fatal(err)
		}
		m := Map{Method: b.label, Base: b.Name, Options: b.options}
		if got := m.Title(); got != want {
			t.Errorf("%s: %q, want %q", request, got, want)
		}
	}
	if got := (Map{Method: "mine-n=3", Base: "mine"}).Title(); got != "mine-n=3" {
		t.Errorf("a method that is not registered: %q", got)
	}
	for name, m := range Methods() {
		if m.Title == "" || strings.ContainsAny(m.Title, "=_") {
			t.Errorf("%s has the title %q", name, m.Title)
		}
	}
}
