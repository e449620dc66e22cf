package tidemill.rival;

import java.util.Collection;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.api.connector.source.lib.NumberSequenceSource;
import org.apache.flink.api.connector.source.lib.NumberSequenceSource.NumberSequenceSplit;
import org.apache.flink.api.connector.source.lib.util.IteratorSourceReaderBase;
import org.apache.flink.core.io.InputStatus;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.table.data.RowData;
import org.apache.flink.util.NumberSequenceIterator;

/**
 * Bounded source of page views. Splits are ranges of block numbers, and a poll puts out a whole block, so that Flink's
 * cost per poll is shared by many rows. Everything about splits is Flink's own number sequence.
 */
final class PageViewsSource implements Source<RowData, NumberSequenceSplit, Collection<NumberSequenceSplit>> {
    private static final int BLOCK = 256;

    private final NumberSequenceSource blocks;
    private final long rows;
    private final long seed;
    private final PageViews.Strings strings;

    PageViewsSource(long rows, long seed, PageViews.Strings strings) {
        this.blocks = new NumberSequenceSource(0, (rows + BLOCK - 1) / BLOCK - 1);
        this.rows = rows;
        this.seed = seed;
        this.strings = strings;
    }

    @Override
    public Boundedness getBoundedness() {
        return Boundedness.BOUNDED;
    }

    @Override
    public SourceReader<RowData, NumberSequenceSplit> createReader(SourceReaderContext context) {
        return new Reader(context, rows, new PageViews(seed, strings));
    }

    @Override
    public SplitEnumerator<NumberSequenceSplit, Collection<NumberSequenceSplit>> createEnumerator(
            SplitEnumeratorContext<NumberSequenceSplit> context) {
        return blocks.createEnumerator(context);
    }

    @Override
    public SplitEnumerator<NumberSequenceSplit, Collection<NumberSequenceSplit>> restoreEnumerator(
            SplitEnumeratorContext<NumberSequenceSplit> context, Collection<NumberSequenceSplit> checkpoint) {
        return blocks.restoreEnumerator(context, checkpoint);
    }

    @Override
    public SimpleVersionedSerializer<NumberSequenceSplit> getSplitSerializer() {
        return blocks.getSplitSerializer();
    }

    @Override
    public SimpleVersionedSerializer<Collection<NumberSequenceSplit>> getEnumeratorCheckpointSerializer() {
        return blocks.getEnumeratorCheckpointSerializer();
    }

    private static final class Reader
            extends IteratorSourceReaderBase<Long, RowData, NumberSequenceIterator, NumberSequenceSplit> {
        private final PageViews views;
        private final long rows;

        Reader(SourceReaderContext context, long rows, PageViews views) {
            super(context);
            this.rows = rows;
            this.views = views;
        }

        @Override
        public InputStatus pollNext(ReaderOutput<RowData> output) {
            if (iterator == null || !iterator.hasNext()) {
                finishSplit();
                return tryMoveToNextSplit();
            }
            long first = iterator.next() * BLOCK;
            long end = Math.min(first + BLOCK, rows);
            for (long number = first; number < end; number++) {
                output.collect(views.row(number));
            }
            return InputStatus.MORE_AVAILABLE;
        }

        @Override
        protected RowData convert(Long block) {
            throw new UnsupportedOperationException("rows are put out by pollNext, a block at a time");
        }
    }
}
