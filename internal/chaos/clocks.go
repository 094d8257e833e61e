package main

var clockRows = []row{}
