package main

var brokerRows = []row{}
