"""Input, output and time: the only layer that touches Kafka, disks, sockets and clocks."""
