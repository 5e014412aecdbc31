"""What a map over a picture is worth: tests of removal and of randomisation, against controls."""
