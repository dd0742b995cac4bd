/*
 * measure.h - the gauges that have to be read: processor time, memory, descriptors, scripts.
 *
 * A worker reads its own, when it is asked for the page, and every now and then for when another
 * one is asked.
 */
#ifndef MEASURE_H
#define MEASURE_H

/* In each worker, before it is confined: what is read then must be open. */
void measure_init(void);

void measure_now(void);

/* The same, but at most once in 10 seconds: after whatever has been done. */
void measure_seldom(void);

#endif
