package interrupt

import "testing"

func TestHold(t *testing.T) {
	a, b := Hold(), Hold()
	a()
	a()
	if !Held() {
		t.Error("a second release took the hold of another")
	}
	b()
	if Held() {
		t.Error("held after all were released")
	}
}
