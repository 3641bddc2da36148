package models

import (
	"strings"
	"testing"
)

func TestUNet(t *testing.T) {
	m, err := New("unet", Options{Classes: 5, Channels: 1, ImageSize: 48, Hidden: 4, Layers: 4})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Check(); err != nil {
		t.Error(err)
	}
	if got := initializer(t, m, "down4.conv2.weight").Shape().String(); got != "[64,64,3,3]" {
		t.Errorf("the lowest convolution is %s", got)
	}
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{ImageSize: 100}, "image size 100 cannot be halved 3 times"},
		{Options{Layers: 63}, "cannot be halved 63 times"},
		{Options{Layers: 6, Hidden: 1024}, "1024 channels doubled 6 times"},
		{Options{Width: 3}, "takes no option width"},
	} {
		if _, err := New("unet", c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
}
