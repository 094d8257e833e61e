package evidence

// Exceed is a pane for H0: P(x > T | past) ≤ share, of n values of which above exceeded T, both counted exactly: each value
// within T is a score of 1 and each above it one of 0, and the claim that it is held against is M = 1 − share. A tail is judged
// by this and never by a digest's quantile, whose error would be taken for evidence.
func Exceed(n, above int64) (w Weights) {
	w[0] = above * one
	w[steps] = (n - above) * one
	return w
}
