mod databases;
