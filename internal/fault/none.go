//go:build !chaos

package fault

// Point does nothing.
func Point(string) {}
