# Reference values for tests/evaluation/readers/test_obuchowski_rockette.py and tests/evaluation/readers. Run in this folder:
#   MRMCAOV=<folder of MRMCaov 0.3.0> Rscript golden.R
# MRMCAOV names the package's unpacked source (the folder that holds R/); without it an installed MRMCaov is taken.
options(digits = 17)
save_csv <- function(frame, file) {
  text <- format(frame, digits = 15, trim = TRUE, scientific = 5, drop0trailing = TRUE)
  text[is.na(frame)] <- ""; text[text == "Inf"] <- "inf"
  write.csv(text, file, row.names = FALSE, quote = FALSE)
}
source_folder <- Sys.getenv("MRMCAOV")
if (nzchar(source_folder)) {
  suppressPackageStartupMessages({ library(ggplot2); library(tibble); library(mvtnorm); library(methods); library(progress) })
  for (file in list.files(file.path(source_folder, "R"), full.names = TRUE)) if (basename(file) != "data.R") suppressWarnings(source(file))
  mrmcaov_version <- read.dcf(file.path(source_folder, "DESCRIPTION"))[, "Version"]
} else { library(MRMCaov); mrmcaov_version <- as.character(packageVersion("MRMCaov")) }

# ---- ratings ------------------------------------------------------------------------------------------------
study <- function(name, seed, truth, modalities, readers, gain, per_patient = 1, shared = 1, rounded = TRUE) {
  set.seed(seed)
  cases <- length(truth); hard <- shared * rnorm(cases); rows <- NULL
  for (m in seq_along(modalities)) for (r in seq_len(readers)) {
    latent <- truth * (gain[m] + rnorm(1, 0, .25)) + hard + rnorm(cases, 0, .8)
    rating <- if (rounded) pmin(5, pmax(1, round(2.5 + latent))) else round(latent, 3)
    rows <- rbind(rows, data.frame(set = name, reader = paste0("r", r), case = sprintf("c%03d", seq_len(cases)),
      modality = modalities[m], rating = rating, patient = paste0("p", ceiling(seq_len(cases) / per_patient)), truth = truth))
  }
  rows
}
pair <- c("aided", "unaided")
perfect <- study("perfect", 5, rep(1:0, c(12, 12)), pair, 3, c(2, 1))
perfect$rating[perfect$reader == "r2" & perfect$modality == "aided"] <- ifelse(perfect$truth[1:24] == 1, 5, 1)
ratings <- rbind(
  study("continuous", 15, rep(1:0, c(10, 10)), pair, 3, c(1.5, 1), shared = 0, rounded = FALSE),
  study("two", 1, rep(1:0, c(20, 25)), pair, 4, c(1.7, 1.1)),
  study("three", 2, rep(1:0, c(16, 20)), c("box", "heat", "none"), 3, c(1.5, 1.2, .9)),
  study("imbalanced", 3, rep(1:0, c(5, 45)), pair, 3, c(1.5, 1)),
  perfect,
  study("clustered", 6, rep(c(1, 1, 0, 1, 0, 0), 8), pair, 3, c(1.5, 1), per_patient = 2))
wide <- reshape(ratings, direction = "wide", idvar = c("set", "modality", "case", "patient", "truth"), timevar = "reader", v.names = "rating")
save_csv(setNames(wide, sub("rating.", "", names(wide), fixed = TRUE)), "ratings.csv")

# ---- Obuchowski-Rockette by MRMCaov with DeLong's covariance ---------------------------------------
components <- overall <- differences <- means <- NULL
row_of <- function(frame, ...) cbind(data.frame(...), frame)
for (name in setdiff(unique(ratings$set), "clustered")) {
  one <- ratings[ratings$set == name, ]; one$truth <- factor(one$truth, c(0, 1))
  fits <- list(
    both = mrmc(empirical_auc(truth, rating), modality, reader, case, data = one, cov = DeLong),
    cases = mrmc(empirical_auc(truth, rating), modality, fixed(reader), case, data = one, cov = DeLong),
    readers = mrmc(empirical_auc(truth, rating), modality, reader, fixed(case), data = one))
  for (sampled in names(fits)) {
    found <- summary(fits[[sampled]]); test <- found$test_equality
    if (sampled == "both") components <- rbind(components, row_of(as.data.frame(t(setNames(found$vcov_comps$Estimate,
      c("var_r", "var_tr", "var_error", "cov1", "cov2", "cov3")))), set = name))
    f <- if (is.null(test$F)) test$X2 / test$df else test$F
    overall <- rbind(overall, data.frame(set = name, sampled = sampled, statistic = f,
      df1 = if (is.null(test$df1)) test$df else test$df1, df2 = if (is.null(test$df2)) Inf else test$df2, p = test$`p-value`))
    gaps <- found$test_diffs
    differences <- rbind(differences, data.frame(set = name, sampled = sampled, pair = gaps$Comparison, difference = gaps$Estimate,
      se = gaps$StdErr, df = if (is.null(gaps$df)) Inf else gaps$df, low = gaps$CI[, 1], high = gaps$CI[, 2],
      t = if (is.null(gaps$t)) gaps$z else gaps$t, p = gaps$`p-value`))
    averages <- found$test_means
    means <- rbind(means, data.frame(set = name, sampled = sampled, modality = rownames(averages), mean = averages$Estimate,
      se = averages$StdErr, df = if (is.null(averages$df)) Inf else averages$df, low = averages$CI[, 1], high = averages$CI[, 2]))
  }
}
save_csv(components, "components.csv"); save_csv(overall, "overall.csv"); save_csv(differences, "differences.csv"); save_csv(means, "means.csv")

# ---- covariance over cases, from the definitions with loops -------------------------------------------------
kernel <- function(x, y) (x > y) + 0.5 * (x == y)
placed <- function(label, score) {
  psi <- outer(score[label == 1], score[label == 0], Vectorize(kernel))
  list(auc = mean(psi), v10 = rowMeans(psi), v01 = colMeans(psi))
}
delong_covariance <- function(patient, label, a, b) {
  first <- placed(label, a); second <- placed(label, b); s10 <- s01 <- 0
  for (i in seq_along(first$v10)) s10 <- s10 + (first$v10[i] - first$auc) * (second$v10[i] - second$auc)
  for (j in seq_along(first$v01)) s01 <- s01 + (first$v01[j] - first$auc) * (second$v01[j] - second$auc)
  m <- sum(label == 1); n <- sum(label == 0)
  s10 / (m - 1) / m + s01 / (n - 1) / n
}
# Obuchowski (1997)
clustered_covariance <- function(patient, label, a, b) {
  everyone <- unique(patient); m <- sum(label == 1); n <- sum(label == 0)
  first <- placed(label, a); second <- placed(label, b); s10 <- s01 <- cross <- 0
  for (who in everyone) {
    x <- patient[label == 1] == who; y <- patient[label == 0] == who
    xa <- sum(first$v10[x]) - sum(x) * first$auc; xb <- sum(second$v10[x]) - sum(x) * second$auc
    ya <- sum(first$v01[y]) - sum(y) * first$auc; yb <- sum(second$v01[y]) - sum(y) * second$auc
    s10 <- s10 + xa * xb; s01 <- s01 + ya * yb; cross <- cross + xa * yb + xb * ya
  }
  i <- length(everyone); i10 <- length(unique(patient[label == 1])); i01 <- length(unique(patient[label == 0]))
  s10 * i10 / (i10 - 1) / m^2 + s01 * i01 / (i01 - 1) / n^2 + cross * i / (i - 1) / (m * n)
}
covariances <- NULL
for (one in split(ratings, factor(ratings$set, unique(ratings$set)))) {
  columns <- split(one, list(one$reader, one$modality), sep = "|")
  for (kind in if (one$set[1] == "clustered") c("delong", "clustered") else "delong") for (i in seq_along(columns)) for (j in i:length(columns)) {
    rule <- list(delong = delong_covariance, clustered = clustered_covariance)[[kind]]
    covariances <- rbind(covariances, data.frame(set = one$set[1], kind = kind, row = i - 1, column = j - 1,
      covariance = rule(columns[[i]]$patient, columns[[i]]$truth, columns[[i]]$rating, columns[[j]]$rating)))
  }
}
save_csv(covariances, "covariances.csv")

writeLines(c(R.version.string, paste("MRMCaov", mrmcaov_version)), "versions.txt")
