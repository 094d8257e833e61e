// Package protocol holds that every event counts once and every alert is told, whatever dies: its tests run the three stages as they
// are, over a simulated Kafka, receivers and registry, through random schedules of what can go wrong. It has no code of its own.
package protocol
