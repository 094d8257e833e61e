package main

var receiverRows = []row{}
