package otlpgen

// Log is a log record as OTLP has it. IDs are written as they are, whatever their length.
type Log struct {
	Trace, Span    []byte
	Time, Observed uint64 // Unix ns; 0 is left out
	Name           string // of the event, in the field for it; empty is left out
	Body           any    // as of an Attribute
	Attributes     []Attribute
}

// AppendLogs appends an ExportLogsServiceRequest with one resource.
func AppendLogs(dst []byte, resource []Attribute, logs ...Log) []byte {
	m := pool.Get()
	defer pool.Put(m)
	of := m.MessageMarshaler().AppendMessage(1)
	appendAttributes(of.AppendMessage(1), 1, resource)
	scope := of.AppendMessage(2)
	name := scope.AppendMessage(1)
	name.AppendString(1, "otlpgen")
	for i := range logs {
		l := &logs[i]
		lm := scope.AppendMessage(2)
		if l.Time != 0 {
			lm.AppendFixed64(1, l.Time)
		}
		lm.AppendInt32(2, 9) // information
		appendValue(lm.AppendMessage(5), l.Body)
		appendAttributes(lm, 6, l.Attributes)
		lm.AppendFixed32(8, 1)
		lm.AppendBytes(9, l.Trace)
		lm.AppendBytes(10, l.Span)
		if l.Observed != 0 {
			lm.AppendFixed64(11, l.Observed)
		}
		if l.Name != "" {
			lm.AppendString(12, l.Name)
		}
	}
	return m.Marshal(dst)
}
