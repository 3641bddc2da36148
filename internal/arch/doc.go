// Package arch holds the tests of the house itself: who may import whom, that exported names are documented, that registered
// things say where they come from, and that files stay small.
package arch
