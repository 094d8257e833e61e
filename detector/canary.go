package detector

type pairing struct{}
